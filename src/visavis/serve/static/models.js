// The avatar in Mira's place: a VRM or a Live2D model of the person, chosen or dropped.

import { Live2dError, filesOf } from "./live2d_folder.js";
import { Live2dStage } from "./live2d_stage.js";
import { offer } from "./store.js";
import { VrmError } from "./vrm.js";
import { VrmStage } from "./vrm_stage.js";

// So long a problem covers the avatar; it stays in the settings.
const PROBLEM_MS = 15000;
const LOADING = "Loading the model…";
const USED = /\.(json|moc3|png|js)$/i;

export class Models {
  /**
   * @param find id -> element of the page.
   * @param settings keep the choice: mira, vrm or live2d; empty before the first.
   * @param presets, ranges, retarget see VrmAvatar and Live2dStage.
   */
  constructor(find, settings, { presets, ranges, retarget }) {
    Object.assign(this, { find, settings });
    this.note = find("model-note").textContent;
    const tell = (text, problem) => this.tell(text, problem);
    this.stages = { vrm: new VrmStage(find("vrm"), tell, presets), live2d: new Live2dStage(find("live2d"), tell, ranges, retarget) };
    this.kind = "";
    for (const button of document.querySelectorAll("[data-choose-model]")) button.onclick = () => find(button.dataset.chooseModel).click();
    const chosen = (id, take) => {
      find(id).onchange = ({ target }) => {
        const files = [...target.files];
        target.value = "";
        if (files.length) take(files);
      };
    };
    chosen("vrm-file", ([file]) => this.use("vrm", file));
    for (const id of ["live2d-folder", "cubism-core-file"]) chosen(id, (files) => this.use("live2d", new Map(files.map((file) => [file.webkitRelativePath || file.name, file]))));
    // A file that is dropped beside the avatar must not take the place of the page.
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.drop([...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean));
    });
  }

  get stage() {
    return this.stages[this.kind];
  }

  get on() {
    return Boolean(this.stage?.on);
  }

  get canvas() {
    return this.on ? this.stage.canvas : this.find("avatar");
  }

  async drop(entries) {
    const folder = entries.some((entry) => entry.isDirectory || /\.(js|json|moc3)$/i.test(entry.name));
    await this.try(async () => {
      const files = await filesOf(entries);
      const [file] = files.values();
      if (file) await this.use(folder ? "live2d" : "vrm", folder ? files : file);
    });
  }

  /** Show a file or a folder's files, and keep them for the next time. */
  use(kind, files) {
    const given = files instanceof Map ? new Map([...files].filter(([path]) => USED.test(path))) : files;
    return this.enter(kind, (stage) => stage.use(given));
  }

  /** Show what was shown last, or else the server's model. */
  async restore() {
    await this.try(async () => {
      const last = this.settings.get("model");
      if (last === "mira") return;
      for (const kind of new Set([last, (await offer()).kind])) {
        if (kind && !this.on) await this.enter(kind, (stage) => stage.show());
      }
    });
  }

  /** Show a model; the one from before stays if that fails. */
  enter(kind, show) {
    this.tell(LOADING);
    return this.try(async () => {
      if (!(await show(this.stages[kind]))) {
        if (this.find("model-note").textContent === LOADING) this.tell(this.note);
        return;
      }
      if (this.kind && this.kind !== kind) this.stage.stop();
      this.kind = kind;
      this.settings.set("model", kind);
      this.place();
    });
  }

  async try(act) {
    try {
      await act();
    } catch (error) {
      const plain = error instanceof VrmError || error instanceof Live2dError;
      this.tell(plain ? error.message : `The model cannot be shown: ${error.message}`, true);
    }
  }

  /** Go back to the embedded avatar, and forget the model. */
  async forget() {
    const { stage } = this;
    this.kind = "";
    this.settings.set("model", "mira");
    this.place();
    this.tell(this.note);
    await stage?.forget();
  }

  place() {
    for (const [kind, stage] of Object.entries(this.stages)) stage.canvas.hidden = kind !== this.kind;
    this.find("forget-model").hidden = !this.on;
    this.find("avatar-card").classList.toggle("has-model", this.on);
  }

  tell(text, problem = false) {
    this.find("model-note").textContent = text;
    // The settings may be closed: a problem is shown on the avatar, too.
    this.find("avatar-problem").textContent = problem ? text : "";
    this.find("avatar-problem").hidden = !problem;
    window.clearTimeout(this.timer);
    if (problem) this.timer = window.setTimeout(() => (this.find("avatar-problem").hidden = true), PROBLEM_MS);
  }

  name(channels) {
    this.stages.vrm.name(channels);
  }

  /** Take the newest face state: 58 numbers, or null. `mirrored` says whether the pose is mirrored. */
  lead(state, mirrored, nowS) {
    this.stages.vrm.lead(state, mirrored, nowS);
    this.stages.live2d.lead(state, nowS);
  }

  /** Draw with the smoothed pose of the page's own avatar. */
  draw(pose, nowS) {
    this.stage.draw(pose, nowS);
  }
}
