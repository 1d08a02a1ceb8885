// The person's Live2D model on the page, drawn by a worker with the person's own Cubism Core.

import { Follower } from "./follow.js";
import { Live2dError, readModel } from "./live2d_folder.js";
import { fetched, offer, stored } from "./store.js";

const [MODEL_KEY, CORE_KEY] = ["live2d", "cubism-core"];
const MAX_CORE_BYTES = 8e6;
const MAX_SCALE = 2;
const NO_CORE = "A Live2D model needs Cubism Core for the web, which visavis may not contain: download the Cubism SDK for Web from live2d.com,"
  + " then choose its file live2dcubismcore.min.js with the button Cubism Core, or start the server with --cubism-core.";
const NO_MODEL = "Drop your model's folder on the avatar, or choose it.";

/** The values of a retarget file at every screen refresh; while no face is seen, they go over to the pose. */
class ValueFollower extends Follower {
  constructor() {
    super();
    this.shown = {};
    this.idle = {};
  }

  rest() {
    return { ...this.shown, ...Object.fromEntries(Object.entries(this.idle).filter(([id]) => id in this.shown)) };
  }

  alive() {
    return this.shown;
  }
}

export class Live2dStage {
  /**
   * @param tell (text, problem) shows a line.
   * @param ranges () => parameter -> [low, high, rest] of the poses.
   * @param retarget (state) => parameter -> value by the rules on the page, which win over the pose.
   */
  constructor(canvas, tell, ranges, retarget) {
    Object.assign(this, { canvas, tell, ranges, retarget, worker: null, on: false, waits: false, lastS: 0 });
    this.context = canvas.getContext("bitmaprenderer");
    this.values = new ValueFollower();
  }

  /** Take what the person chose: a model's folder, Cubism Core, or both. Says whether a model is shown. */
  async use(files) {
    const core = [...files].find(([path]) => /cubismcore[^/]*\.js$/i.test(path));
    if (core) {
      if (core[1].size > MAX_CORE_BYTES) throw new Live2dError(`${core[0]}: has more than ${MAX_CORE_BYTES / 1e6} MB; choose live2dcubismcore.min.js`);
      await stored("readwrite", (store) => store.put(core[1], CORE_KEY));
    }
    if ([...files.keys()].some((path) => path.endsWith(".json"))) {
      await readModel(files);
      await stored("readwrite", (store) => store.put(files, MODEL_KEY));
    } else if (!core) throw new Live2dError("choose the folder of a Live2D model, or live2dcubismcore.min.js");
    return this.show();
  }

  /** Show the model that this browser keeps, or else the server's. */
  async show() {
    const server = await offer();
    const kept = await stored("readonly", (store) => store.get(MODEL_KEY));
    if (!kept && server.kind !== "live2d") return this.miss(NO_MODEL);
    const core = (await stored("readonly", (store) => store.get(CORE_KEY))) ?? (server.core && (await fetched("model/core.js")));
    if (!core) return this.miss(NO_CORE);
    const files = kept ?? new Map(await Promise.all(server.files.map(async (name) => [name, await fetched(`model/${name}`)])));
    const model = await readModel(files);
    await this.start(await core.text(), model);
    this.tell(`${model.name || server.name}, a Live2D model`);
    return true;
  }

  miss(text) {
    this.tell(text, text === NO_CORE);
    return false;
  }

  start(core, model) {
    this.stop();
    const worker = new Worker("live2d/worker.js");
    const { name, ...parts } = model;
    return new Promise((resolve, reject) => {
      const fail = (message) => {
        worker.terminate();
        if (this.worker === worker) this.stop();
        reject(new Live2dError(`${name || "the model"}: ${message}`));
      };
      worker.onerror = ({ message }) => fail(message || "the worker that draws it does not start");
      worker.onmessage = ({ data }) => {
        if (data.problem) fail(data.problem);
        this.waits = false;
        if (data.picture) this.context.transferFromImageBitmap(data.picture);
        if (!data.parameters) return;
        this.parameters = new Set(data.parameters);
        Object.assign(this, { worker, on: true });
        resolve();
      };
      worker.postMessage({ core, ranges: this.ranges(), ...parts }, [model.moc]);
    });
  }

  /** Take the newest face state: 58 numbers, or null. */
  lead(state, nowS) {
    if (!this.on || !state) return;
    const known = Object.entries(this.retarget(state)).filter(([id]) => this.parameters.has(id));
    if (known.length) this.values.lead(Object.fromEntries(known), nowS);
    else this.values = new ValueFollower();
  }

  /** Draw with the smoothed pose of the page's own avatar, unless the last picture is still being drawn. */
  draw(pose, nowS) {
    if (this.waits) return;
    const elapsedS = Math.max(0, nowS - this.lastS);
    this.lastS = nowS;
    const scale = Math.min(window.devicePixelRatio || 1, MAX_SCALE);
    const size = (length) => Math.max(1, Math.round(length * scale));
    this.values.idle = pose;
    const values = this.values.pose ? this.values.at(nowS) : {};
    this.waits = true;
    this.worker.postMessage({ pose, values, elapsedS, width: size(this.canvas.clientWidth), height: size(this.canvas.clientHeight) });
  }

  stop() {
    this.worker?.terminate();
    Object.assign(this, { worker: null, on: false, waits: false });
  }

  /** Forget the model; Cubism Core is kept. */
  async forget() {
    this.stop();
    await stored("readwrite", (store) => store.delete(MODEL_KEY));
  }
}
