// The avatar's size, its place, and the person's own background.

const STEP = 2; // percent of the card for each arrow key
const LIMITS = { zoom: [0.3, 4], x: [-100, 100], y: [-100, 100] };

const within = (value, [low, high]) => Math.min(high, Math.max(low, value));

export class Placing {
  /** @param card holds the canvases @param canvases are moved together @param settings keep the place */
  constructor(card, canvases, settings) {
    this.card = card;
    this.canvases = canvases;
    this.settings = settings;
    this.url = null;
    card.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.05 : 1 / 1.05);
    }, { passive: false });
    card.addEventListener("pointerdown", (event) => card.setPointerCapture(event.pointerId));
    card.addEventListener("pointermove", (event) => {
      if (!card.hasPointerCapture(event.pointerId)) return;
      this.shift((100 * event.movementX) / card.clientWidth, (100 * event.movementY) / card.clientHeight);
    });
  }

  zoom(factor) {
    this.settings.set("zoom", within(this.settings.get("zoom") * factor, LIMITS.zoom));
  }

  /** Move by steps of the arrow keys. */
  move(x, y) {
    this.shift(STEP * x, STEP * y);
  }

  shift(x, y) {
    this.settings.set("placeX", within(this.settings.get("placeX") + x, LIMITS.x));
    this.settings.set("placeY", within(this.settings.get("placeY") + y, LIMITS.y));
  }

  home() {
    for (const [name, value] of [["zoom", 1], ["placeX", 0], ["placeY", 0]]) this.settings.set(name, value);
  }

  /** Show the settings. */
  show() {
    const [zoom, x, y] = ["zoom", "placeX", "placeY"].map((name) => this.settings.get(name));
    for (const canvas of this.canvases) canvas.style.transform = `translate(${x}%, ${y}%) scale(${zoom})`;
  }

  /** Put a picture file behind the avatar until the page is closed; false if it is no picture. */
  async backdrop(file) {
    const url = URL.createObjectURL(file);
    try {
      await Object.assign(new Image(), { src: url }).decode();
    } catch {
      URL.revokeObjectURL(url);
      return false;
    }
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
    this.card.style.backgroundImage = `url(${url})`;
    this.settings.set("background", "own");
    return true;
  }
}
