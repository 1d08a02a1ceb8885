// One click records the avatar's video in the browser, and the track and the motion on the server.

const FILES = ["visavis.npz", "visavis.motion3.json"];
const FRAME_RATE = 30;
// Who presses Stop waits at most so long for the files.
const LONGEST_WAIT_MS = 5000;

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
}

export class Recorder {
  /** @param button starts and stops @param drawn () => the canvas that shows the avatar now @param tell (what is wrong) */
  constructor(button, link, drawn, tell) {
    Object.assign(this, { button, link, drawn, tell });
    this.video = null;
    this.done = () => {};
    this.ending = Promise.resolve();
    button.onclick = () => this.choose(!this.on);
    link.addEventListener("record", ({ detail }) => this.granted(detail));
    link.addEventListener("problem", ({ detail }) => detail.code === "not_recorded" && this.fail(detail.message));
    this.show();
  }

  get on() {
    return this.video !== null;
  }

  choose(on) {
    if (on === this.on) return;
    if (on) {
      const parts = [];
      this.video = new MediaRecorder(this.drawn().captureStream(FRAME_RATE), { mimeType: "video/webm" });
      this.video.ondataavailable = ({ data }) => parts.push(data);
      this.video.onstop = () => save(new Blob(parts, { type: "video/webm" }), "visavis.webm");
      this.video.start(1000);
    } else {
      this.video.stop();
      this.video = null;
      const saved = new Promise((done) => { this.done = done; });
      this.ending = Promise.race([saved, new Promise((done) => window.setTimeout(done, LONGEST_WAIT_MS))]);
      if (this.link.state !== "open") this.fail("the connection to the server was lost");
    }
    this.link.sendRecord(on);
    this.show();
  }

  /** End a recording and wait for its files, before the end of the session would lose them. */
  finish() {
    this.choose(false);
    return this.ending;
  }

  /** The page shows a source now, or none; a recording ends with its source. */
  enter(live) {
    this.button.hidden = !live;
    if (!live) this.choose(false);
  }

  async granted({ take }) {
    if (!take) return;
    for (const name of FILES) {
      const response = await fetch(`takes/${take}/${name}`);
      if (response.ok) save(await response.blob(), name);
      else this.tell(`${name} is lost: the server answers ${response.status}.`);
    }
    this.done();
  }

  fail(why) {
    this.tell(`Only the video is recorded: ${why}.`);
    this.done();
  }

  show() {
    this.button.textContent = this.on ? "Stop recording" : "Record";
    this.button.classList.toggle("recording", this.on);
  }
}
