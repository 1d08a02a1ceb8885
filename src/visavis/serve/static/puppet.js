// Mira on a canvas, drawn from a rig (assets/puppet.json) and parameter values.

import { angles, buildLayer, evaluateLayer, expand, interpolate, swing } from "./puppet_rig.js";

const SAMPLES = 8; // straight pieces of an ink line for each cubic segment, as in avatar/puppet_pen.py
const LONGEST_GAP_S = 1;
const FAINT = 0.002; // layers with less opacity are not drawn

// ---- Ink ----

/** Outline [[x, y], ...] of one tapered stroke along `count` segments from segment `first`. */
export function ribbon(layer, p, first, count) {
  const last = count * SAMPLES, [start, end] = layer.line.taper ?? [1, 1];
  const left = [], right = [];
  for (let n = 0; n <= last; n++) {
    const k = n ? Math.ceil(n / SAMPLES) - 1 : 0, at = 6 * ((first + k) % layer.segments);
    const t = n / SAMPLES - k, s = 1 - t;
    const place = [s ** 3, 3 * s * s * t, 3 * s * t * t, t ** 3];
    const slope = [-3 * s * s, 3 * s * (s - 2 * t), 3 * t * (2 * s - t), 3 * t * t];
    const sum = (weights, axis) => weights.reduce((total, w, i) => total + w * p[at + 2 * i + axis], 0);
    const x = sum(place, 0), y = sum(place, 1), dx = sum(slope, 0), dy = sum(slope, 1);
    const tip = 2 * n < last ? start : end, swell = 1 - ((2 * n) / last - 1) ** 2;
    const half = ((tip + (1 - tip) * swell) * layer.line.width) / 2 / Math.max(Math.hypot(dx, dy), 1e-9);
    left.push([x - dy * half, y + dx * half]);
    right.push([x + dy * half, y - dx * half]);
  }
  return [...left, ...right.reverse()];
}

function tracePath(ctx, layer, p) {
  ctx.beginPath();
  ctx.moveTo(p[0], p[1]);
  for (let i = 2; i < layer.outline; i += 6) ctx.bezierCurveTo(p[i], p[i + 1], p[i + 2], p[i + 3], p[i + 4], p[i + 5]);
  ctx.closePath();
}

/** Fills the current path; a radial gradient is a unit circle put in place by the three anchors. */
function fillArea(ctx, layer, p) {
  const { fill } = layer, a = p.subarray(layer.outline);
  if (typeof fill === "string") { ctx.fillStyle = fill; ctx.fill(); return; }
  const gradient = fill.linear ? ctx.createLinearGradient(a[0], a[1], a[2], a[3]) : ctx.createRadialGradient(0, 0, 0, 0, 0, 1);
  for (const [at, color] of fill.stops) gradient.addColorStop(at, color);
  ctx.save();
  if (fill.radial) ctx.transform(a[2] - a[0], a[3] - a[1], a[4] - a[0], a[5] - a[1], a[0], a[1]);
  ctx.fillStyle = gradient;
  ctx.fill();
  ctx.restore();
}

// ---- The puppet ----

/** Mira; use one object for each stream of poses. */
export class Puppet {
  /** @param {object} rig the parsed assets/puppet.json */
  constructor(rig) {
    this.rig = rig;
    this.backdrop = true; // false leaves the background untouched
    this.layers = expand(rig).map((spec) => buildLayer(spec, rig));
    this.byName = Object.fromEntries(this.layers.map((layer, i) => [layer.name, i]));
    this.springs = Object.values(rig.springs);
    this.reset();
    this.update({}, 0);
    this.reset();
  }

  /** Stop the motion of hair and accessories, as before the first pose. */
  reset() {
    this.time = null;
    this.state = this.springs.map(() => ({ root: 0, lag: 0, speed: 0 }));
  }

  /** Pose the drawing: `params` maps parameter ids to values (unnamed parameters stay at rest). */
  update(params, timeSeconds) {
    const { parameters } = this.rig, values = {};
    for (const name of Object.keys(params)) if (!(name in parameters)) throw new RangeError(`no parameter of the avatar: ${name}`);
    for (const [name, [low, high, rest]] of Object.entries(parameters)) values[name] = Math.min(Math.max(params[name] ?? rest, low), high);
    const sway = this.#advance(values, timeSeconds), a = angles(values, this.rig);
    this.points = this.layers.map((layer) => evaluateLayer(layer, this.rig, values, sway, a));
    this.opacities = this.layers.map((layer) => layer.fade.reduce((o, [name, ...steps]) => o * interpolate(values[name], steps), layer.opacity));
  }

  #advance(values, time) {
    const passed = this.time === null ? -1 : time - this.time;
    this.time = time;
    return this.springs.map((spring, i) => {
      const sum = (gains) => Object.entries(gains ?? {}).reduce((total, [name, gain]) => total + gain * values[name], 0);
      const state = this.state[i], root = sum(spring.follow);
      if (passed < 0 || passed > LONGEST_GAP_S) state.lag = state.speed = 0;
      else [state.lag, state.speed] = swing(spring, state.lag + state.root - root, state.speed, passed);
      state.root = root;
      return state.lag + sum(spring.hang);
    });
  }

  /** Draw the last pose: the backdrop fills the canvas, the character stands at its bottom centre. */
  draw(ctx, width, height) {
    const { size } = this.rig;
    if (this.backdrop) this.#paint(ctx, true, Math.max(width, height) / size, width / 2, height / 2, size / 2);
    this.#paint(ctx, false, Math.min(width, height) / size, width / 2, height, size);
  }

  #paint(ctx, backdrop, scale, x, y, level) {
    ctx.save();
    ctx.translate(x, y);
    ctx.scale(scale, scale);
    ctx.translate(-this.rig.size / 2, -level);
    this.layers.forEach((layer, i) => {
      if (layer.backdrop === backdrop && this.opacities[i] > FAINT) this.#layer(ctx, layer, this.points[i], this.opacities[i]);
    });
    ctx.restore();
  }

  #layer(ctx, layer, p, opacity) {
    ctx.save();
    if (layer.clip) {
      const bound = this.byName[layer.clip];
      tracePath(ctx, this.layers[bound], this.points[bound]);
      ctx.clip();
    }
    ctx.globalAlpha = opacity;
    if (layer.fill) { tracePath(ctx, layer, p); fillArea(ctx, layer, p); }
    if (layer.line) {
      ctx.fillStyle = layer.line.color;
      ctx.beginPath();
      for (const [first, count] of layer.runs) {
        ribbon(layer, p, first, count).forEach(([px, py], n) => (n ? ctx.lineTo(px, py) : ctx.moveTo(px, py)));
        ctx.closePath();
      }
      ctx.fill();
    }
    ctx.restore();
  }
}

/** Fetch a rig and make its puppet. */
export async function loadPuppet(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: the server answered ${answer.status}`);
  return new Puppet(await answer.json());
}
