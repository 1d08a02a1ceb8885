// Hair and clothes of a Live2D model: strands of points that swing as the head moves, as physics3.json describes.
// The worker loads this script. The swing is our own: near to Live2D's, but not the same.

"use strict";

// Units of a strand by second squared, for an acceleration and a delay of 1: one unit in a thirtieth of a second.
const PULL = 900;
const DEFAULT_FPS = 60;
const LONGEST_S = 0.25;

/** Straight lines from a parameter's [low, rest, high] to the strand's {Minimum, Default, Maximum}. */
function normalized(value, [low, rest, high], { Minimum, Default, Maximum }) {
  const [room, end] = value > rest ? [high - rest, Maximum] : [low - rest, Minimum];
  return room ? Default + (Math.min(Math.max((value - rest) / room, 0), 1)) * (end - Default) : Default;
}

class Strand {
  constructor({ Input, Output, Vertices, Normalization }, parameters, index) {
    const known = (entries, side) => entries.filter((entry) => index.has(entry[side].Id)).map((entry) => ({ ...entry, at: index.get(entry[side].Id) }));
    Object.assign(this, { parameters, points: Vertices, normalization: Normalization });
    this.inputs = known(Input, "Source");
    this.outputs = known(Output, "Destination").filter(({ VertexIndex }) => VertexIndex >= 1 && VertexIndex < Vertices.length);
    let y = 0;
    this.at = Vertices.map(({ Radius }, i) => ({ x: 0, y: (y += i ? Radius : 0), speedX: 0, speedY: 0 }));
  }

  /** Where the strand hangs, and which way is down (radians from straight down). */
  root() {
    const moved = { X: 0, Y: 0, Angle: 0 };
    const { values, minimumValues, maximumValues, defaultValues } = this.parameters;
    for (const { at, Type, Weight, Reflect } of this.inputs) {
      const span = [minimumValues[at], defaultValues[at], maximumValues[at]];
      const value = normalized(values[at], span, Type === "Angle" ? this.normalization.Angle : this.normalization.Position);
      moved[Type] += ((Reflect ? 1 : -1) * value * Weight) / 100;
    }
    return { ...moved, down: (moved.Angle * Math.PI) / 180 };
  }

  step(seconds) {
    const { X, Y, down } = this.root();
    Object.assign(this.at[0], { x: X, y: Y });
    for (let i = 1; i < this.at.length; i += 1) {
      const { Mobility, Delay, Acceleration, Radius } = this.points[i];
      const [point, above] = [this.at[i], this.at[i - 1]];
      const pull = PULL * Acceleration * Delay * Delay * seconds;
      point.speedX += Math.sin(down) * pull;
      point.speedY += Math.cos(down) * pull;
      const goalX = point.x + point.speedX * seconds - above.x;
      const goalY = point.y + point.speedY * seconds - above.y;
      const length = Math.hypot(goalX, goalY) || 1;
      const x = above.x + (goalX / length) * Radius;
      const y = above.y + (goalY / length) * Radius;
      const kept = Math.min(Math.max(Mobility, 0), 1) ** (seconds * 60);
      Object.assign(point, { speedX: (kept * (x - point.x)) / seconds, speedY: (kept * (y - point.y)) / seconds, x, y });
    }
  }

  /** Set the parameters that follow the strand. */
  write() {
    const { values } = this.parameters;
    for (const { at, VertexIndex, Type, Scale, Weight, Reflect } of this.outputs) {
      const [point, above, before] = [this.at[VertexIndex], this.at[VertexIndex - 1], this.at[VertexIndex - 2]];
      const move = { X: point.x - above.x, Y: point.y - above.y };
      const bent = Math.atan2(move.X, move.Y) - (before ? Math.atan2(above.x - before.x, above.y - before.y) : 0);
      move.Angle = -Math.atan2(Math.sin(bent), Math.cos(bent));
      const share = Math.min(Math.max(Weight / 100, 0), 1);
      values[at] += share * ((Reflect ? -1 : 1) * move[Type] * Scale - values[at]);
    }
  }
}

class Physics {
  /** @param physics as live2d_folder.js checked it @param parameters Cubism Core's */
  constructor(physics, parameters) {
    const index = new Map(parameters.ids.map((id, i) => [id, i]));
    this.strands = physics.PhysicsSettings.map((setting) => new Strand(setting, parameters, index));
    this.stepS = 1 / (physics.fps || DEFAULT_FPS);
    this.leftS = 0;
  }

  /** Move the strands for this time, in steps of the model's own, so that it does not depend on the screen. */
  step(elapsedS) {
    this.leftS += Math.min(elapsedS, LONGEST_S);
    for (; this.leftS >= this.stepS; this.leftS -= this.stepS) {
      for (const strand of this.strands) strand.step(this.stepS);
    }
    for (const strand of this.strands) strand.write();
  }
}
