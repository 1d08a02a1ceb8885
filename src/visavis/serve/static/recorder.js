// One click records the avatar's video in the browser, and the track and the motion on the server.

const FILES = ["visavis.npz", "visavis.motion3.json"];
const FRAME_RATE = 30;

function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

export class Recorder {
  /** @param button starts and stops @param drawn () => the canvas that shows the avatar now */
  constructor(button, link, drawn) {
    this.button = button;
    this.link = link;
    this.drawn = drawn;
    this.video = null;
    button.onclick = () => this.choose(!this.on);
    link.addEventListener("record", ({ detail }) => this.granted(detail));
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
      this.video.onstop = () => this.saveVideo(new Blob(parts, { type: "video/webm" }));
      this.video.start(1000);
    } else {
      this.video.stop();
      this.video = null;
    }
    this.link.sendRecord(on);
    this.show();
  }

  /** The page shows a source now, or none; a recording ends with its source. */
  enter(live) {
    this.button.hidden = !live;
    if (!live) this.choose(false);
  }

  saveVideo(blob) {
    const url = URL.createObjectURL(blob);
    save(url, "visavis.webm");
    window.setTimeout(() => URL.revokeObjectURL(url), 60e3);
  }

  granted({ take }) {
    if (take) for (const name of FILES) save(`takes/${take}/${name}`, name);
  }

  show() {
    this.button.textContent = this.on ? "Stop recording" : "Record";
    this.button.classList.toggle("recording", this.on);
  }
}
