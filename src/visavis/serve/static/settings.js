// The person's settings: kept in localStorage, and connected to every form control with their name.
// A new switch needs a default here, and an input with data-setting in index.html.

const KEY = "visavis.settings.v1";
const SESSION_KEY = "visavis.session.v1";

export const DEFAULTS = Object.freeze({
  camera: "",
  mirror: true,
  readExpressions: true,
  showLandmarks: true,
  showKeptTokens: false,
  showFaceTokens: false,
  frameWidth: 640,
  quality: 0.7,
  consented: false, // the notice was read, and the camera started
  model: "", // in Mira's place; empty: the server's, if it has one
  background: "soft",
  zoom: 1,
  placeX: 0,
  placeY: 0,
  leftToChance: true,
  expressiveness: 0.5,
  nodding: 0.5,
  smiling: 0.5,
  mirroring: 0.5,
  gaze: 0.5,
});

/** What a listener's style consists of; see reaction/style.py. */
export const CONTROLS = Object.freeze(["expressiveness", "nodding", "smiling", "mirroring", "gaze"]);

/** The name under which viewer pages find this browser's session; whoever knows it may watch the avatar. */
export function sessionName(storage = window.localStorage) {
  const known = storage.getItem(SESSION_KEY);
  if (known && /^[A-Za-z0-9_-]{16,64}$/.test(known)) return known;
  const name = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  storage.setItem(SESSION_KEY, name);
  return name;
}

const ALLOWED = { model: ["", "mira", "vrm", "live2d"], frameWidth: [320, 480, 640, 960], background: ["soft", "plain", "green", "blue", "transparent", "own"] };

function clean(stored) {
  const values = { ...DEFAULTS };
  for (const [name, rest] of Object.entries(DEFAULTS)) {
    const value = stored?.[name];
    if (typeof value !== typeof rest) continue;
    if (ALLOWED[name] && !ALLOWED[name].includes(value)) continue;
    if (CONTROLS.includes(name) && !(value >= 0 && value <= 1)) continue;
    if (name === "zoom" && !(value >= 0.3 && value <= 4)) continue;
    if (name.startsWith("place") && !(value >= -100 && value <= 100)) continue;
    if (name === "quality" && !(value >= 0.3 && value <= 0.95)) continue;
    values[name] = value;
  }
  return values;
}

export class Settings extends EventTarget {
  constructor(storage = window.localStorage) {
    super();
    this.storage = storage;
    this.values = { ...DEFAULTS };
    try {
      this.values = clean(JSON.parse(storage.getItem(KEY)));
    } catch (error) {
      console.warn("stored settings could not be read; defaults are used:", error.message);
    }
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values = clean({ ...this.values, [name]: value });
    try {
      this.storage.setItem(KEY, JSON.stringify(this.values));
    } catch (error) {
      console.warn("settings could not be kept:", error.message);
    }
    this.show();
    this.dispatchEvent(new CustomEvent("change", { detail: { name, value: this.values[name] } }));
  }

  reset() {
    for (const [name, value] of Object.entries(DEFAULTS)) this.set(name, value);
  }

  /** Let every control below `root` with a data-setting attribute show and change its setting. */
  bind(root) {
    this.controls = [...root.querySelectorAll("[data-setting]")];
    for (const control of this.controls) {
      control.addEventListener("input", () => this.set(control.dataset.setting, this.read(control)));
    }
    this.show();
  }

  read(control) {
    if (control.type === "checkbox") return control.checked;
    return typeof DEFAULTS[control.dataset.setting] === "number" ? Number(control.value) : control.value;
  }

  show() {
    for (const control of this.controls ?? []) {
      const value = this.values[control.dataset.setting];
      if (control.type === "checkbox") control.checked = value;
      else control.value = String(value);
    }
  }
}
