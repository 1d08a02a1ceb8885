// The choice between Mirror and Listen, and the listener's controls.

import { Ear } from "./ear.js";
import { CONTROLS } from "./settings.js";

const EAR_PROBLEMS = {
  NotAllowedError: "The microphone is blocked: the listener sees you but does not hear you. Allow it in the address bar.",
  NotFoundError: "There is no microphone: the listener sees you but does not hear you.",
};
const DEAF_S = 3; // time without sound before the page says so
const DEAF = "No sound arrives: click on this page, and check whether the microphone is muted.";
const BUSY = "The server is busy: the listener misses some of your sound.";
const GONE = "No answer from the server: the listener does not hear you.";
const $ = (id) => document.getElementById(id);

const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

export class Listening {
  /** @param {Link} link takes wishes @param {Settings} settings hold the style @param {Capture} capture */
  constructor(link, settings, capture) {
    this.link = link;
    this.settings = settings;
    this.capture = capture;
    this.ear = new Ear(capture.video, link);
    this.on = false;
    this.offered = false;
    this.live = false;
    this.tunings = 0;
    this.seed = newSeed();
    this.said = "";
    this.heardS = this.answeredS = 0;
    this.missedS = -DEAF_S;
    $("mode-mirror").onclick = () => this.choose(false);
    $("mode-listen").onclick = () => this.offered && this.choose(true);
    $("new-listener").onclick = () => {
      this.seed = newSeed();
      this.tell();
    };
    settings.addEventListener("change", ({ detail: { name } }) => {
      if (name === "leftToChance" || CONTROLS.includes(name)) this.tell();
    });
    this.show();
  }

  /** The server's offer: {problem}, null if it can listen. */
  offer(offer) {
    this.offered = Boolean(offer) && offer.problem === null;
    const problem = offer ? offer.problem : "This version of the server cannot listen.";
    $("mode-listen").setAttribute("aria-disabled", String(!this.offered));
    $("mode-listen").title = problem ?? "";
    $("mode-listen-note").textContent = this.offered ? "" : "not available";
    if (!this.offered && this.on) this.choose(false);
  }

  choose(on) {
    if (on === this.on) return;
    this.on = on;
    this.tell();
    this.tune();
  }

  /** Whether the page shows pictures of a source now. */
  enter(live) {
    if (live === this.live) return;
    this.live = live;
    this.tune();
  }

  /** Take a moment's news: whether the listener has sound; null while the avatar mirrors. */
  hear(hears, nowS) {
    this.answeredS = nowS;
    if (hears !== false) this.heardS = nowS;
    this.say(nowS);
  }

  /** The server refused some sound. */
  miss(nowS) {
    this.missedS = nowS;
    this.say(nowS);
  }

  /** Show what is known about the sound; without answers, nothing is known. */
  say(nowS) {
    let text = this.said;
    if (this.on && this.live && this.said.startsWith("The listener hears")) {
      if (this.link.state !== "open") text = GONE;
      else if (nowS - this.missedS < DEAF_S || nowS - this.answeredS > DEAF_S) text = BUSY;
      else if (nowS - this.heardS > DEAF_S) text = DEAF;
    }
    if ($("listener-ear").textContent !== text) $("listener-ear").textContent = text;
  }

  /** Send the request, at once and after every reconnection. */
  tell() {
    const shares = CONTROLS.map((name) => [name, this.settings.get(name)]);
    const style = this.settings.get("leftToChance") ? null : Object.fromEntries(shares);
    this.link.sendListen({ type: "listen", on: this.on, seed: this.seed, style });
    this.show();
  }

  /** Open or close the sound source. */
  async tune() {
    this.ear.close();
    this.tunings += 1;
    const tuning = this.tunings;
    const said = this.on && this.live ? await this.openEar() : "";
    if (tuning !== this.tunings) return; // another choice was made meanwhile
    this.said = said;
    this.heardS = this.answeredS = performance.now() / 1000;
    this.show();
  }

  /** The message about the sound. */
  async openEar() {
    const clip = Boolean(this.capture.fileUrl);
    try {
      await (clip ? this.ear.openClip() : this.ear.openMicrophone());
      return clip ? "The listener hears the clip." : "The listener hears your microphone.";
    } catch (error) {
      console.warn("no sound:", error.message);
      return EAR_PROBLEMS[error.name] ?? `The listener sees you but does not hear you: ${error.message}`;
    }
  }

  show() {
    document.body.classList.toggle("listening", this.on);
    $("mode-mirror").setAttribute("aria-pressed", String(!this.on));
    $("mode-listen").setAttribute("aria-pressed", String(this.on));
    $("listener").hidden = !this.on;
    $("listener-ear").textContent = this.said;
    $("listener-seed").textContent = `No. ${this.seed}`;
    $("calibrate").disabled = this.on;
    $("avatar").setAttribute("aria-label", this.on ? "The avatar, which listens to you" : "The avatar, which follows your face");
    for (const name of CONTROLS) $(`control-${name}`).disabled = this.settings.get("leftToChance");
  }
}
