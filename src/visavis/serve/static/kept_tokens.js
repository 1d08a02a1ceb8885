// The tokens that the expression network kept of a face: the panel's text, and the data to draw.

/** Which cells were kept, row by row, from the server's hex digits: four cells each, the first in the highest bit. */
function cellsOf({ grid, kept }) {
  const cells = [...kept].flatMap((digit) => [8, 4, 2, 1].map((bit) => (parseInt(digit, 16) & bit) > 0));
  return cells.slice(0, grid * grid); // the rest only fills the last byte
}

export class KeptTokens {
  /** @param {HTMLElement} panel holds the switch and the line @param {Settings} settings */
  constructor(panel, settings) {
    this.panel = panel;
    this.caption = panel.querySelector("#kept-tokens-caption");
    this.settings = settings;
  }

  /** Whether the server's expression network drops tokens; only then there is something to show. */
  offer(dropsTokens) {
    this.panel.hidden = !dropsTokens;
  }

  get on() {
    return !this.panel.hidden && this.settings.get("showKeptTokens") && this.settings.get("readExpressions");
  }

  /** The data to draw for a moment: {grid, cells, corners}, or null. */
  take({ kept_tokens: tokens }) {
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
