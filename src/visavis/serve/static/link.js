// The page's side of the courier: it sends requests and emits the server's messages as events.

export class Link extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.state = "idle";
    this.settings = null;
    this.faceTokens = false;
    this.listen = null;
    this.worker = new Worker(new URL("courier.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data: { type, detail } }) => this.tell(type, detail);
  }

  connect() {
    const { url, settings, faceTokens, listen } = this;
    this.worker.postMessage({ order: "connect", url, settings, faceTokens, listen });
  }

  disconnect() {
    this.worker.postMessage({ order: "disconnect" });
    this.tell("state", { state: "idle" });
  }

  sendSettings(readExpressions, mirror) {
    this.settings = { type: "settings", read_expressions: readExpressions, mirror };
    this.worker.postMessage({ order: "settings", settings: this.settings });
  }

  sendFaceTokens(on) {
    if (this.faceTokens === on) return;
    this.faceTokens = on;
    this.worker.postMessage({ order: "faceTokens", on });
  }

  sendListen(wish) {
    this.listen = wish;
    this.worker.postMessage({ order: "listen", wish });
  }

  /** Sound of `rateHz` samples a second, mono, 16 bits, whose first was taken at `atMs`; see epochMs(). */
  giveSound(pcm, rateHz, atMs) {
    this.worker.postMessage({ order: "sound", pcm, rateHz, atMs }, [pcm]);
  }

  /** Start or stop to record the track and the motion. */
  sendRecord(on) {
    this.worker.postMessage({ order: "tell", wish: { type: "record", on } });
  }

  /** Let the avatar show an expression; null shows the person's own again. */
  sendExpress(label) {
    this.worker.postMessage({ order: "tell", wish: { type: "express", label } });
  }

  /** Start or stop to send the face to an output. */
  sendOutput(address, on) {
    this.worker.postMessage({ order: "tell", wish: { type: "output", address, on } });
  }

  /** Start a guided calibration at the next picture, or cancel it. */
  sendGuide(on) {
    this.worker.postMessage({ order: "tell", wish: { type: "guide", on } });
  }

  /** Let the server remember the person's calibration, or forget it. */
  sendProfile(keep) {
    this.worker.postMessage({ order: "tell", wish: { type: "profile", keep } });
  }

  /** Set the width in pixels and the JPEG quality of sent pictures. */
  setPicture(width, quality) {
    this.worker.postMessage({ order: "picture", width, quality });
  }

  /** Let the courier take every picture of a stream of VideoFrames. */
  giveStream(stream) {
    this.worker.postMessage({ order: "stream", stream }, [stream]);
  }

  giveImage(image) {
    this.worker.postMessage({ order: "image", image }, [image]);
  }

  tell(type, detail) {
    if (type === "state") this.state = detail.state;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
