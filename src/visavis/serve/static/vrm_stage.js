// The person's VRM model on the page: kept in this browser, or given by the server; moved with every moment.

import { Follower } from "./follow.js";
import { fetched, offer, stored } from "./store.js";
import { VrmAvatar, VrmError } from "./vrm.js";

const KEY = "vrm";

/** Weights at every screen refresh; without moments they go to rest. */
class WeightFollower extends Follower {
  rest() {
    return {};
  }

  alive() {
    return this.shown;
  }
}

export class VrmStage {
  /** @param tell (text, problem) shows a line @param presets see VrmAvatar. */
  constructor(canvas, tell, presets) {
    this.canvas = canvas;
    this.tell = tell;
    this.vrm = new VrmAvatar(canvas, presets);
    this.follower = new WeightFollower();
    this.names = [];
    this.lastS = 0;
  }

  get on() {
    return this.vrm.vrm !== null;
  }

  /** The names of a face state's numbers. */
  name(channels) {
    this.names = channels ?? this.names;
  }

  /** Show a file, and keep it for the next time; says whether it is shown. */
  async use(file) {
    await this.load(file);
    await stored("readwrite", (store) => store.put(file, KEY)).catch((error) => {
      this.tell(`The model is shown, but this browser cannot keep it: ${error.message}`);
    });
    return true;
  }

  /** Show the file that this browser keeps, or else the server's; says whether there is one. */
  async show() {
    const kept = await stored("readonly", (store) => store.get(KEY));
    const { kind, name, files } = await offer();
    if (!kept && kind !== "vrm") return false;
    await this.load(kept ?? new File([await fetched(`model/${files[0]}`)], `${name}.vrm`));
    return true;
  }

  async load(file) {
    try {
      await this.vrm.load(await file.arrayBuffer());
    } catch (error) {
      throw error instanceof VrmError ? new VrmError(`${file.name}: ${error.message}`) : error;
    }
    this.tell(`${file.name}${this.vrm.perfectSync ? ", with all 52 ARKit shapes" : ""}`);
  }

  stop() {
    this.vrm.dispose();
  }

  /** Forget the file. */
  async forget() {
    this.stop();
    await stored("readwrite", (store) => store.delete(KEY));
  }

  /** Take the newest face state: 58 numbers, or null. `mirrored` says whether the pose is mirrored. */
  lead(state, mirrored, nowS) {
    if (!state || !this.on) return;
    const weights = {};
    this.names.slice(0, 52).forEach((name, i) => {
      weights[mirrored ? swapped(name) : name] = state[i];
    });
    this.follower.lead(weights, nowS);
  }

  /** Draw with the smoothed pose of the page's own avatar. */
  draw(pose, nowS) {
    const elapsedS = Math.min(0.1, nowS - this.lastS);
    this.lastS = nowS;
    const weights = { ...this.follower.at(nowS) };
    if (!this.follower.isLed(nowS)) {
      weights.eyeBlinkLeft = 1 - pose.ParamEyeLOpen;
      weights.eyeBlinkRight = 1 - pose.ParamEyeROpen;
    }
    this.vrm.draw(pose, weights, elapsedS);
  }
}

/** The name of the same movement on the other side. */
export function swapped(name) {
  if (name.endsWith("Left")) return `${name.slice(0, -4)}Right`;
  return name.endsWith("Right") ? `${name.slice(0, -5)}Left` : name;
}
