// The live avatar: the character on one canvas, the still backdrop on another canvas below it.

import { Follower } from "./follow.js";
import { Puppet, loadPuppet } from "./puppet.js";

const MAX_SCALE = 2; // canvas pixels per CSS pixel
// If the screen is not fluent (without a graphics card, drawing is slow), less is drawn, step by
// step: first only at a new pose, or after two refreshes without one; then with fewer pixels.
const EFFORTS = [{ skip: 0, sharpness: 1 }, { skip: 2, sharpness: 1 }, { skip: 2, sharpness: 0.75 }, { skip: 2, sharpness: 0.5 }];
const SLOW_MS = 24; // between two refreshes
const PATIENCE = 12; // excess of slow refreshes over fluent ones before the next step

export class Avatar {
  constructor(canvas, backdropCanvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.backdropCanvas = backdropCanvas;
    this.model = null; // another model in the puppet's place, with \`on\` and \`draw(pose, nowS)\`
    this.follower = new Follower();
    this.puppet = null;
    this.effort = 0;
    this.skipped = 0;
    this.fresh = false;
    this.slow = 0;
    this.lastS = 0;
  }

  async load(url) {
    const puppet = await loadPuppet(url);
    puppet.backdrop = false;
    // The backdrop never moves and takes as long to draw as the character, so it is drawn only once.
    this.backdrop = new Puppet(puppet.rig);
    this.backdrop.layers = this.backdrop.layers.filter((layer) => layer.backdrop);
    this.backdrop.update({}, 0);
    this.puppet = puppet;
  }

  /** Take the server's newest pose. */
  lead(pose, nowS) {
    this.follower.lead(pose, nowS);
    this.fresh = true;
  }

  /** At every screen refresh; says whether the newest pose was drawn. */
  draw(nowS) {
    if (!this.puppet) return false;
    this.adapt(1000 * (nowS - this.lastS));
    this.lastS = nowS;
    const { skip, sharpness } = EFFORTS[this.effort];
    if (!this.fresh && this.skipped < skip) {
      this.skipped += 1;
      return false;
    }
    this.fresh = false;
    this.skipped = 0;
    this.fit(this.canvas, sharpness);
    if (this.fit(this.backdropCanvas, 1)) this.drawBackdrop();
    const { width, height } = this.canvas;
    const pose = this.follower.at(nowS);
    if (this.model?.on) {
      this.model.draw(pose, nowS);
      return true;
    }
    this.puppet.update(pose, nowS);
    this.context.clearRect(0, 0, width, height);
    this.puppet.draw(this.context, width, height);
    return true;
  }

  drawBackdrop() {
    const { width, height } = this.backdropCanvas;
    this.backdrop.draw(this.backdropCanvas.getContext("2d"), width, height);
  }

  adapt(passedMs) {
    this.slow = passedMs > SLOW_MS && passedMs < 500 ? this.slow + 1 : Math.max(0, this.slow - 1);
    if (this.slow < PATIENCE) return;
    this.effort = Math.min(this.effort + 1, EFFORTS.length - 1);
    this.slow = 0;
  }

  /** Give a canvas the pixels of its place on the screen; says whether it changed, and is blank now. */
  fit(canvas, sharpness) {
    const scale = sharpness * Math.min(window.devicePixelRatio || 1, MAX_SCALE);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale));
    const height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width === width && canvas.height === height) return false;
    canvas.width = width;
    canvas.height = height;
    return true;
  }
}
