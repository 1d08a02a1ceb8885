// The tokens that the emotion network kept of a face: the panel's text, and the data to draw.

/** Which cells were kept, row by row, from the server's hex digits: four cells each, the first in the highest bit. */
function cellsOf({ grid, kept }) {
  const cells = [...kept].flatMap((digit) => [8, 4, 2, 1].map((bit) => (parseInt(digit, 16) & bit) > 0));
  return cells.slice(0, grid * grid); // the rest only fills the last byte
}

export class Looks {
  /** @param {HTMLElement} panel holds the switch and the line @param {Settings} settings */
  constructor(panel, settings) {
    this.panel = panel;
    this.caption = panel.querySelector("#looks-caption");
    this.settings = settings;
  }

  /** Whether the server's emotion network drops tokens; only then there is something to show. */
  offer(dropsTokens) {
    this.panel.hidden = !dropsTokens;
  }

  get on() {
    return !this.panel.hidden && this.settings.get("showTokens") && this.settings.get("readEmotions");
  }

  /** The data to draw for a moment: {grid, cells, corners}, or null. */
  take({ tokens }) {
    if (!this.on || !tokens) {
      this.clear();
      return null;
    }
    const cells = cellsOf(tokens);
    const count = cells.filter(Boolean).length;
    this.say(`keeps ${count} of ${cells.length} tokens`);
    return { grid: tokens.grid, cells, corners: tokens.corners };
  }

  clear() {
    this.say("");
  }

  say(text) {
    if (this.caption.textContent !== text) this.caption.textContent = text;
  }
}
