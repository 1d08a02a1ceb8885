// The panel of the guided calibration: instructions, result, and whether it is remembered.

import { CALIBRATION } from "./messages.js";

const $ = (id) => document.getElementById(id);

export class Calibrating {
  /** @param {Link} link takes wishes */
  constructor(link) {
    this.link = link;
    this.state = "idle"; // running, done, refused
    this.live = false;
    this.kept = false;
    this.keeps = false;
    document.querySelectorAll("[data-calibrate]").forEach((button) => {
      button.onclick = () => this.begin();
    });
    $("guide-close").onclick = () => this.close();
    $("guide-keep").onclick = () => link.sendProfile(true);
    $("remember").onchange = () => {
      link.sendProfile($("remember").checked);
      $("remember").checked = this.kept; // until the server says otherwise
    };
    this.show();
  }

  /** Take the server's offer: {kept, problem}. */
  offer({ kept, problem }) {
    this.kept = kept;
    this.keeps = kept || problem === null;
    this.note(problem ?? "");
  }

  /** Whether the page shows pictures and is connected now. */
  enter(live) {
    if (live === this.live) return;
    this.live = live;
    if (!live && this.state === "running") this.end("refused", CALIBRATION.broken);
    this.show();
  }

  begin() {
    $("settings").close();
    $("guide").hidden = false;
    this.note("");
    if (!this.live) {
      this.end("refused", CALIBRATION.early);
      return;
    }
    this.state = "running";
    this.link.sendGuide(true);
    this.say(CALIBRATION.running, CALIBRATION.begins, "", 0);
    this.show();
    $("guide-close").focus();
  }

  close() {
    if ($("guide").hidden) return;
    if (this.state === "running") this.link.sendGuide(false);
    this.state = "idle";
    $("guide").hidden = true;
    this.show();
  }

  /** Take the state of the guide from a moment, or null. */
  take(guide) {
    if (!guide || this.state !== "running") return;
    if (guide.state !== "running") this.end(guide.state, guide.says, guide.problem);
    else this.say(`${CALIBRATION.running}, step ${guide.number} of 5`, guide.says, guide.problem, guide.progress);
  }

  end(state, says, problem = "") {
    this.state = state;
    this.say(CALIBRATION[state], says, problem, 0);
    this.show();
  }

  /** The server kept the profile, or forgot it. */
  remember(kept) {
    this.kept = kept;
    this.note(kept ? CALIBRATION.kept : CALIBRATION.forgotten);
  }

  note(text) {
    set("remember-note", text);
    set("guide-note", text);
    this.show();
  }

  say(title, says, problem, progress) {
    set("guide-title", title);
    set("guide-says", says);
    set("guide-problem", problem);
    $("guide-progress").value = progress;
  }

  show() {
    const running = this.state === "running";
    $("guide-progress").hidden = !running;
    $("guide-again").hidden = running || !this.live;
    $("guide-keep").hidden = this.state !== "done" || !this.keeps || this.kept;
    $("guide-note").hidden = running;
    $("guide-close").textContent = running ? "Cancel" : "Close";
    $("remember").checked = this.kept;
    $("remember").disabled = !this.live || !this.keeps;
  }
}

/** Live regions are read aloud whenever they change, so only write new text. */
function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
