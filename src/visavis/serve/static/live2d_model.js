// A Live2D model in Cubism Core: its parameters follow poses. The worker loads this script.

"use strict";

// As visavis/cubism/model.py: these move the face's features, whose place says where the face is.
const FEATURES = { ParamEyeLOpen: 0, ParamEyeROpen: 0, ParamMouthOpenY: 1 };

class Model {
  constructor(core, { moc, ranges, physics, pose }) {
    const made = core.Moc.fromArrayBuffer(moc);
    if (!made) throw new Error("its .moc3 is damaged, or newer than this Cubism Core; export it again, or take a newer Core");
    this.core = core.Model.fromMoc(made);
    if (!this.core) throw new Error("its .moc3 is damaged; export it again");
    const { ids, minimumValues, maximumValues, defaultValues } = this.core.parameters;
    this.index = new Map(ids.map((id, i) => [id, i]));
    this.rest = Float32Array.from(defaultValues);
    this.scales = Object.entries(ranges).filter(([id]) => this.index.has(id)).map(([id, ours]) => {
      const i = this.index.get(id);
      return [id, scale(ours, [minimumValues[i], maximumValues[i], defaultValues[i]])];
    });
    this.physics = physics && new Physics(physics, this.core.parameters);
    this.showFirstParts(pose);
  }

  /** Of parts that replace each other, show the first. */
  showFirstParts(pose) {
    const { ids, opacities } = this.core.parts;
    for (const group of pose ?? []) {
      group.forEach(({ Id, Link }, place) => {
        for (const id of [Id, ...(Link ?? [])]) if (ids.includes(id)) opacities[ids.indexOf(id)] = place ? 0 : 1;
      });
    }
  }

  /** Set all parameters: a pose in our own ranges, and values in the model's, which win. */
  set(pose, values, elapsedS) {
    const { parameters } = this.core;
    parameters.values.set(this.rest);
    for (const [id, knots] of this.scales) if (id in pose) parameters.values[this.index.get(id)] = along(knots, pose[id]);
    for (const [id, value] of Object.entries(values)) if (this.index.has(id)) parameters.values[this.index.get(id)] = value;
    this.physics?.step(elapsedS);
    this.core.update();
  }

  get orders() {
    return this.core.getRenderOrders?.() ?? this.core.drawables.renderOrders;
  }

  /** Center and width of what eyes and mouth move, in the model's units; null if nothing moves. */
  face() {
    this.set({}, {}, 0);
    const before = this.core.drawables.vertexPositions.map((place) => Float32Array.from(place));
    this.set({}, FEATURES, 0);
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    this.core.drawables.vertexPositions.forEach((place, number) => {
      for (let i = 0; i < place.length; i += 2) {
        const rest = before[number];
        if (Math.hypot(place[i] - rest[i], place[i + 1] - rest[i + 1]) < 1e-4) continue;
        for (const axis of [0, 1]) {
          low[axis] = Math.min(low[axis], rest[i + axis]);
          high[axis] = Math.max(high[axis], rest[i + axis]);
        }
      }
    });
    if (!(high[0] > low[0])) return null;
    return { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, width: high[0] - low[0] };
  }
}

/** As scale() in visavis/cubism/model.py: knots [ours, the model's] of straight lines. */
function scale([ourLow, ourHigh, ourRest], [low, high, rest]) {
  if (low === ourLow && high === ourHigh) return [[low, low], [high, high]];
  const knots = new Map([[ourLow, low], [ourHigh, high], [ourRest, rest]]);
  return [...knots].sort(([a], [b]) => a - b);
}

function along(knots, x) {
  if (x <= knots[0][0]) return knots[0][1];
  const next = knots.findIndex(([at]) => x <= at);
  if (next < 0) return knots.at(-1)[1];
  const [[x0, y0], [x1, y1]] = [knots[next - 1], knots[next]];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}
