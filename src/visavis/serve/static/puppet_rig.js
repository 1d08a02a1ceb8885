// Every point of the drawing, from a rig (assets/puppet.json), parameter values and spring positions.
// The same formulas as avatar/{puppet_path,rig_load,rig}.py, which explain them; a test compares the two.

const clamp01 = (t) => Math.min(Math.max(t, 0), 1);
const smoothstep = (t) => clamp01(t) ** 2 * (3 - 2 * clamp01(t));
const radians = (degrees) => (degrees * Math.PI) / 180;
const swap = (name) => name.replace(/(?<=_)L$|(?<=ParamEye)L|(?<=ParamBrow)L|(?<=ParamMouth)L(?=Form)/, "R");

// ---- Outlines ----

function parseKnots(text) {
  return text.trim().split(/\s+/).map((word) => {
    const [x, y] = word.replace("^", "").split(",").map(Number);
    return { x, y, corner: word.endsWith("^") };
  });
}

function unit(x, y) {
  const length = Math.max(Math.hypot(x, y), 1e-6);
  return { x: x / length, y: y / length, length };
}

/** Flat control points [x, y, ...] of the smooth curve through the knots: 3 a segment, and the first again. */
function controls(knots, closed) {
  const count = knots.length;
  const steps = knots.map((k, i) => unit(knots[(i + 1) % count].x - k.x, knots[(i + 1) % count].y - k.y));
  const tangents = steps.map((step, i) => {
    const back = steps[(i + count - 1) % count];
    return unit(back.x * step.length + step.x * back.length, back.y * step.length + step.y * back.length);
  });
  const sharp = knots.map((k, i) => k.corner || (!closed && (i === 0 || i === count - 1)));
  const out = [knots[0].x, knots[0].y];
  for (let i = 0; i < (closed ? count : count - 1); i++) {
    const j = (i + 1) % count;
    const alike = tangents[i].x * tangents[j].x + tangents[i].y * tangents[j].y;
    const handle = (steps[i].length * 2) / (3 * (1 + Math.sqrt(Math.max(0, (1 + alike) / 2))));
    for (const axis of ["x", "y"]) {
      const a = knots[i][axis], b = knots[j][axis];
      let first = a + tangents[i][axis] * handle, second = b - tangents[j][axis] * handle;
      if (sharp[i] && sharp[j]) { first = a + (b - a) / 3; second = b - (b - a) / 3; }
      else if (sharp[i]) first = a + (b + 1.5 * (second - b) - a) * (2 / 3);
      else if (sharp[j]) second = b + (a + 1.5 * (first - a) - b) * (2 / 3);
      out.push(...(axis === "x" ? [first, 0, second, 0, b, 0] : []));
      if (axis === "y") { const n = out.length; out[n - 5] = first; out[n - 3] = second; out[n - 1] = b; }
    }
  }
  return out;
}

function smoothRuns(knots, closed) {
  const count = knots.length;
  const cuts = knots.flatMap((k, i) => (k.corner ? [i] : []));
  if (!closed) {
    const ends = [...new Set([0, ...cuts, count - 1])].sort((a, b) => a - b);
    return ends.slice(1).map((end, i) => [ends[i], end - ends[i]]);
  }
  if (!cuts.length) return [[0, count]];
  return cuts.map((a, i) => [a, ((cuts[(i + 1) % cuts.length] - a - 1 + count) % count) + 1]);
}

// ---- From the file to layers ----

function mirrored(spec, size, lateral) {
  const point = ([x, y]) => [size - x, y];
  const path = (text) => text.replace(/(\S+),/g, (_, x) => `${size - Number(x)},`);
  const key = (raw) => {
    const out = { ...raw };
    out.at = Object.fromEntries(Object.entries(raw.at).map(([n, v]) => [swap(n), lateral.includes(n) ? -v : v]));
    if (raw.path) out.path = path(raw.path);
    if (raw.about) out.about = point(raw.about);
    if (raw.move) out.move = [-raw.move[0], raw.move[1]];
    if (raw.turn) out.turn = -raw.turn;
    if (raw.nudge) out.nudge = Object.fromEntries(Object.entries(raw.nudge).map(([k, v]) => [k, [-v[0], v[1]]]));
    return out;
  };
  const out = { ...spec, name: swap(spec.name), path: path(spec.path), keys: spec.keys.map(key) };
  if (spec.fill && typeof spec.fill === "object")
    out.fill = Object.fromEntries(Object.entries(spec.fill).map(([k, v]) => [k, k === "stops" ? v : v.map(point)]));
  if (spec.clip) out.clip = swap(spec.clip);
  if (spec.fade) out.fade = spec.fade.map(([name, ...steps]) => [swap(name), ...steps]);
  return out;
}

export function expand(data) {
  return data.layers.flatMap((raw) => {
    const keys = (raw.keys ?? []).flatMap((key) => (typeof key === "string" ? data.keysets[key] : [key]));
    const spec = { ...data.parts[raw.part], ...raw, keys };
    return spec.mirror ? [spec, mirrored(spec, data.size, data.lateral)] : [spec];
  });
}

/** One key's points, flat, from the file's path / nudge / scale / turn / move. */
function posed(spec, knots, closed, points) {
  let moved = spec.path ? parseKnots(spec.path).map((k, i) => ({ ...k, corner: knots[i].corner })) : knots;
  moved = moved.map((k, i) => ({ ...k, x: k.x + (spec.nudge?.[i]?.[0] ?? 0), y: k.y + (spec.nudge?.[i]?.[1] ?? 0) }));
  const outline = controls(moved, closed);
  const out = [...outline, ...points.slice(outline.length)];
  const middle = (axis) => (Math.min(...knots.map((k) => k[axis])) + Math.max(...knots.map((k) => k[axis]))) / 2;
  const [ax, ay] = spec.about ?? [middle("x"), middle("y")];
  const [sx, sy] = spec.scale ?? [1, 1], [dx, dy] = spec.move ?? [0, 0];
  const c = Math.cos(radians(spec.turn ?? 0)), s = Math.sin(radians(spec.turn ?? 0));
  for (let i = 0; i < out.length; i += 2) {
    const x = (out[i] - ax) * sx, y = (out[i + 1] - ay) * sy;
    out[i] = x * c - y * s + ax + dx;
    out[i + 1] = x * s + y * c + ay + dy;
  }
  return out;
}

function buildKeys(specs, parameters, knots, closed, points) {
  const names = (spec) => Object.keys(spec.at).sort().join();
  return specs.map((spec) => {
    const group = specs.filter((other) => names(other) === names(spec));
    const hats = Object.entries(spec.at).map(([name, peak]) => {
      const lines = [...new Set([parameters[name][2], ...group.map((g) => g.at[name])])].sort((a, b) => a - b);
      const i = lines.indexOf(peak);
      return { name, left: lines[Math.max(i - 1, 0)], peak, right: lines[Math.min(i + 1, lines.length - 1)] };
    });
    const delta = Float64Array.from(posed(spec, knots, closed, points), (v, i) => v - points[i]);
    return { hats, delta };
  });
}

export function buildLayer(spec, data) {
  const knots = parseKnots(spec.path), closed = !spec.open;
  const outline = controls(knots, closed);
  const anchors = typeof spec.fill === "object" ? (spec.fill.linear ?? spec.fill.radial).flat() : [];
  const points = Float64Array.from([...outline, ...anchors]);
  const ys = points.filter((_, i) => i % 2);
  const { from, to } = data.body, { follow = 0 } = spec;
  const springs = Object.keys(data.springs);
  return {
    ...spec, points, outline: outline.length, segments: (outline.length - 2) / 6, backdrop: spec.part === "backdrop",
    runs: smoothRuns(knots, closed), keys: buildKeys(spec.keys, data.parameters, knots, closed, points),
    depth: spec.depth ?? 0, bulge: spec.bulge ?? 0, opacity: spec.opacity ?? 1, fade: spec.fade ?? [],
    follows: ys.map((y) => (Array.isArray(follow) ? smoothstep((y - follow[1]) / (follow[0] - follow[1])) : follow)),
    carried: ys.map((y) => (spec.part === "backdrop" ? 0 : smoothstep((y - from) / (to - from)))),
    sway: (spec.sway ?? []).map(([name, root, tip, gain]) => ({
      spring: springs.indexOf(name), axis: "xy".indexOf(data.springs[name].axis),
      gains: ys.map((y) => gain * clamp01((y - root) / (tip - root)) ** 2),
    })),
  };
}

// ---- Motion ----

function hatProduct(hats, values) {
  let weight = 1;
  for (const { name, left, peak, right } of hats) {
    const value = values[name];
    if (value < peak && left < peak) weight *= Math.max(0, (value - left) / (peak - left));
    else if (value > peak && right > peak) weight *= Math.max(0, (right - value) / (right - peak));
  }
  return weight;
}

export function interpolate(value, steps) {
  if (value <= steps[0][0]) return steps[0][1];
  for (let i = 1; i < steps.length; i++) {
    const [x0, y0] = steps[i - 1], [x1, y1] = steps[i];
    if (value <= x1) return y0 + ((y1 - y0) * (value - x0)) / (x1 - x0);
  }
  return steps[steps.length - 1][1];
}

function rotate(x, y, [px, py], c, s) {
  return [(x - px) * c - (y - py) * s + px, (x - px) * s + (y - py) * c + py];
}

/** Final flat points of one layer; `a` holds the pose's angles, sines and shifts. */
export function evaluateLayer(layer, rig, values, springs, a) {
  const p = layer.points.slice();
  for (const key of layer.keys) {
    const weight = hatProduct(key.hats, values);
    if (weight) for (let i = 0; i < p.length; i++) p[i] += weight * key.delta[i];
  }
  for (const { spring, axis, gains } of layer.sway) gains.forEach((gain, i) => (p[2 * i + axis] += gain * springs[spring]));
  const { center, radii, distance, pivot, nod } = rig.head;
  for (let i = 0; i < p.length; i += 2) {
    const follow = layer.follows[i / 2], carried = layer.carried[i / 2];
    if (follow) {
      const x = p[i] - center[0], y = p[i + 1] - center[1];
      const z = layer.depth + layer.bulge / (1 + (x / radii[0]) ** 2 + (y / radii[1]) ** 2);
      const z1 = z * a.yaw.c - x * a.yaw.s;
      const nearer = (distance - z) / (distance - z1 * a.pitch.c - y * a.pitch.s);
      const tx = (x * a.yaw.c + z * a.yaw.s) * nearer + center[0];
      const ty = (y * a.pitch.c - z1 * a.pitch.s) * nearer + center[1] - nod * a.pitch.s;
      const [hx, hy] = rotate(tx, ty, pivot, a.tilt.c, a.tilt.s);
      p[i] += follow * (hx - p[i]);
      p[i + 1] += follow * (hy - p[i + 1]);
    }
    if (carried) {
      const x = p[i] + a.turn * (carried * rig.body.shift[0] + (1 - follow) * layer.depth * rig.body.turn);
      const y = p[i + 1] - carried * (a.bow * rig.body.shift[1] + a.breath * rig.body.breath);
      [p[i], p[i + 1]] = rotate(x, y, rig.body.pivot, a.lean.c, a.lean.s);
    }
  }
  return p;
}

export function angles(values, { head, body }) {
  const turn = (degrees) => ({ c: Math.cos(radians(degrees)), s: Math.sin(radians(degrees)) });
  const [yaw, pitch, tilt] = ["X", "Y", "Z"].map((axis, i) => turn((head.turn_deg[i] * values[`ParamAngle${axis}`]) / 30));
  const lean = turn((body.lean_deg * values.ParamBodyAngleZ) / 10);
  return { yaw, pitch, tilt, lean, turn: values.ParamBodyAngleX / 10, bow: values.ParamBodyAngleY / 10, breath: values.ParamBreath };
}

export function swing(spring, lag, speed, time) {
  const omega = 2 * Math.PI * spring.frequency_hz, decay = spring.damping * omega;
  const ringing = omega * Math.sqrt(1 - spring.damping ** 2);
  const c = Math.cos(ringing * time), s = Math.sin(ringing * time), e = Math.exp(-decay * time);
  const drive = (speed + decay * lag) / ringing, position = e * (lag * c + drive * s);
  return [position, e * (drive * ringing * c - lag * ringing * s) - decay * position];
}
