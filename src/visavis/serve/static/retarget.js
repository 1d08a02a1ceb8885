// Retargeting on the page: the parameters of a preset or of a person's file live, to be edited and saved.
// visavis/avatar/retarget.py evaluates the same rules; docs/how-to/retarget.md describes them.

const DEGREES = new Set(["yaw", "pitch", "roll"]);
const TURNED = new Set(["yaw", "roll", "x"]); // by a mirror
const OTHER = { Left: "Right", Right: "Left" };
// What a person edits, its label, and its bounds.
const FIELDS = [["gain", "gain", -1e6, 1e6], ["offset", "offset", -1e6, 1e6], ["dead_zone", "dead zone", 0, 1e6], ["gamma", "curve", 0.05, 20]];

const isStraight = ({ points }) => JSON.stringify(points) === "[[0,0],[1,1]]";
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** channel -> how far a face (58 numbers) has moved from neutral; angles in degrees. */
export function moved(state, { channels, neutral, mirror }) {
  const face = {};
  channels.forEach((channel, i) => {
    const name = mirror ? channel.replace(/(Left|Right)$/, (side) => OTHER[side]) : channel;
    const sign = mirror && TURNED.has(channel) ? -1 : 1;
    face[name] = sign * (state[i] - neutral[i]) * (DEGREES.has(channel) ? 180 / Math.PI : 1);
  });
  return face;
}

/** The value of a parameter for a moved face; an empty face gives rest. */
export function valueOf(rule, face) {
  const [low, high] = rule.inputs;
  const [start, end] = rule.outputs;
  let sum = 0;
  for (const [channel, weight] of Object.entries(rule.sum)) sum += weight * (face[channel] ?? 0);
  sum -= clamp(sum, -rule.dead_zone, rule.dead_zone);
  const rest = clamp((rule.offset - low) / (high - low), 0, 1);
  const share = clamp((rule.offset + rule.gain * sum - low) / (high - low), 0, 1);
  const away = share - rest;
  const room = away > 0 ? 1 - rest : rest;
  const bent = away ? rest + Math.sign(away) * room * (Math.abs(away) / room) ** rule.gamma : share;
  return clamp(start + (end - start) * along(rule.points, bent), Math.min(start, end), Math.max(start, end));
}

/** Straight lines between points (x, y); x rises from 0 to 1. */
function along(points, x) {
  let next = 1;
  while (next < points.length - 1 && points[next][0] < x) next += 1;
  const [x0, y0] = points[next - 1];
  const [x1, y1] = points[next];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** The parameters of a face (58 numbers) by rules. */
export function valuesOf(rules, state) {
  const face = moved(state, rules);
  return Object.fromEntries(Object.entries(rules.parameters).map(([name, rule]) => [name, valueOf(rule, face)]));
}

/** The rules as a retarget file. */
export function asToml({ mirror, parameters }) {
  const key = (name) => (/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name));
  const tables = Object.entries(parameters).map(([name, rule]) => {
    const terms = Object.entries(rule.sum).map(([channel, weight]) => `${key(channel)} = ${weight}`);
    const curve = isStraight(rule) ? rule.gamma : JSON.stringify(rule.points);
    return [
      `[${key(name)}]`,
      `sum = { ${terms.join(", ")} }`,
      `dead_zone = ${rule.dead_zone}`,
      `gain = ${rule.gain}`,
      `offset = ${rule.offset}`,
      `in = ${JSON.stringify(rule.inputs)}`,
      `out = ${JSON.stringify(rule.outputs)}`,
      `curve = ${curve}`,
    ].join("\n");
  });
  return [`mirror = ${mirror}`, ...tables].join("\n\n") + "\n";
}

export class RetargetPanel {
  /** @param {HTMLDetailsElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.find = (name) => panel.querySelector(`#retarget-${name}`);
    this.rules = null; // as the server gives them, then as the person edits them
    this.rows = [];
    this.name = "vtubestudio";
    panel.ontoggle = () => panel.open && !this.rules && this.load(this.name);
    this.find("preset").onchange = ({ target }) => this.load(target.value);
    this.find("mirror").onchange = ({ target }) => { this.rules.mirror = target.checked; };
    this.find("save").onclick = () => this.save();
    this.find("choose").onclick = () => this.find("file").click();
    this.find("file").onchange = ({ target }) => {
      const [file] = target.files;
      target.value = "";
      if (file) this.open(file);
    };
  }

  /** Use the file that the server was started with. */
  offer(name) {
    if (name && !this.rules) this.load(name);
  }

  /** A preset, or the server's file. */
  load(name) {
    return this.take(name, fetch(`retarget/${encodeURIComponent(name)}`));
  }

  /** A file of the person's; the server reads it, since it knows the format and its mistakes. */
  open(file) {
    return this.take(file.name, fetch(`retarget?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file }));
  }

  async take(name, asked) {
    const response = await asked;
    const found = await response.json();
    this.find("note").textContent = response.ok ? "" : found.detail;
    if (!response.ok) return;
    this.rules = found;
    this.name = name;
    const names = found.presets.includes(name) ? found.presets : [name, ...found.presets];
    this.find("preset").replaceChildren(...names.map((each) => new Option(each, each, false, each === name)));
    this.find("mirror").checked = found.mirror;
    this.rows = Object.entries(found.parameters).map(([parameter, rule]) => this.row(parameter, rule));
    this.find("rows").replaceChildren(...this.rows.map(({ row }) => row));
    this.show(null);
  }

  /** The parameters of a face (58 numbers); none while no rules are loaded. */
  values(state) {
    return this.rules ? valuesOf(this.rules, state) : {};
  }

  row(name, rule) {
    const row = document.createElement("tr");
    const cell = (child) => row.insertCell().append(child);
    const [track, fill] = ["bar-track", "bar-fill"].map((style) => {
      const made = document.createElement("div");
      made.className = style;
      return made;
    });
    track.append(fill);
    const value = document.createElement("span");
    row.dataset.parameter = name;
    [name, track, value].forEach(cell);
    for (const [field, label, min, max] of FIELDS) {
      const input = Object.assign(document.createElement("input"), { type: "number", step: "any", min, max, value: rule[field] });
      input.ariaLabel = `${label} of ${name}`;
      input.disabled = field === "gamma" && !isStraight(rule); // a curve of points is edited in the file
      const valid = () => input.value !== "" && input.checkValidity();
      input.oninput = () => { if (valid()) rule[field] = input.valueAsNumber; };
      input.onchange = () => {
        this.find("note").textContent = valid() ? "" : `${input.ariaLabel}: expected a number from ${min} to ${max}`;
        if (!valid()) input.value = rule[field]; // What is shown is what is saved.
      };
      cell(input);
    }
    return { row, fill, value, rule };
  }

  /** Show the parameters of a face (58 numbers), or of rest where there is none. */
  show(state) {
    if (!this.rules || !this.panel.open) return;
    const face = state ? moved(state, this.rules) : {};
    for (const { fill, value, rule } of this.rows) {
      const [low, high] = [...rule.outputs].sort((a, b) => a - b);
      const [from, to] = [valueOf(rule, {}), valueOf(rule, face)].map((v) => (100 * (v - low)) / (high - low)).sort((a, b) => a - b);
      fill.style.left = `${from}%`;
      fill.style.width = `${Math.max(to - from, 1)}%`;
      value.textContent = valueOf(rule, face).toFixed(high - low > 5 ? 1 : 2);
    }
  }

  save() {
    if (!this.rules) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([asToml(this.rules)], { type: "application/toml" }));
    link.download = this.name.endsWith(".toml") ? this.name : `${this.name}.toml`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
