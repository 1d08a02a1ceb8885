// One WebSocket to the server, which reconnects automatically.

import { epochMs } from "./stats.js";

const PROTOCOL = 1;
const HEADER_BYTES = 16;
const FRAME_KIND = 1;
const SOUND_KIND = 2;
const YOUNG_MS = 5000; // a shorter connection does not count as a recovery
const SILENT_MS = 5000; // if frames stay unanswered for this long, the server hangs
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10000;

/** Close codes of the server; see serve/protocol.py. */
export const Close = Object.freeze({
  TOO_BIG: 1009, RESTARTING: 1012, BAD_MESSAGE: 4400, UNAUTHORIZED: 4401, BAD_VERSION: 4406, IDLE: 4408, REPLACED: 4409,
  FULL: 4429,
});
// Errors without a frame after which the conversation goes on.
const REFUSALS = ["no_tokenizer", "no_listener", "bad_request", "bad_sound", "too_much_sound", "not_kept", "no_output", "not_recorded"];
const STALE = ["bad_token", "old_token"];
const FINAL = [Close.BAD_MESSAGE, Close.UNAUTHORIZED, Close.BAD_VERSION, Close.TOO_BIG, Close.REPLACED];

/** Milliseconds to wait before try number `failures` (from 1): exponential with jitter. */
export function backoffMs(failures, random = Math.random) {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return ceiling * (0.5 + 0.5 * random());
}

/** A binary message: its header and its contents. */
function packed(kind, number, timeS, data) {
  const message = new Uint8Array(HEADER_BYTES + data.byteLength);
  const view = new DataView(message.buffer);
  message.set([0x56, 0x56, PROTOCOL, kind]); // "VV"
  view.setUint32(4, number, true);
  view.setFloat64(8, timeS, true);
  message.set(new Uint8Array(data), HEADER_BYTES);
  return message;
}

/**
 * Events: "hello", "moment", "settings", "profile", "pace", "problem" (an error that ends nothing) with the message as detail, and
 * "state" with {state: connecting | open | waiting | idle | refused, code, reason, retryAtMs}.
 */
export class Connection extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.state = "idle";
    this.failures = 0;
    this.nextId = 1;
    this.sent = new Map(); // frame id -> {atMs, ...}, until it is answered
    this.settings = null;
    this.faceTokens = false;
    this.listen = null;
    this.token = null; // with it, the next connection goes on where this one ends
    this.error = null;
    this.watch = self.setInterval(() => this.checkSilence(), 1000);
  }

  connect() {
    self.clearTimeout(this.timer);
    if (this.socket) return;
    this.enter("connecting");
    this.error = null;
    this.socket = new WebSocket(this.url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      // A full server keeps a place for clients whose first message is a token.
      this.socket.send(JSON.stringify({ type: "resume", token: this.token }));
      this.socket.send(JSON.stringify({ type: "pace", on: true }));
    };
    this.socket.onmessage = (event) => this.receive(event.data);
    this.socket.onclose = (event) => this.closed(event);
  }

  /** Close finally; to connect again, make a new object. */
  disconnect() {
    self.clearInterval(this.watch);
    self.clearTimeout(this.timer);
    const socket = this.socket;
    this.forget();
    socket?.close(1000);
    this.enter("idle");
  }

  /** The number of frames sent and not yet answered. */
  get inFlight() {
    return this.sent.size;
  }

  /** Send a JPEG (ArrayBuffer) taken at `timeS`; its moment comes back with `note` and the time of sending. */
  sendFrame(jpeg, timeS, note) {
    const id = this.nextId;
    this.nextId = (this.nextId + 1) >>> 0;
    this.sent.set(id, { ...note, atMs: epochMs() });
    this.socket.send(packed(FRAME_KIND, id, timeS, jpeg));
  }

  /** Send mono 16-bit sound (ArrayBuffer) whose first sample was taken at `timeS`, if there is a listener. */
  sendSound(pcm, rateHz, timeS) {
    if (this.state === "open" && this.listen?.on) this.socket.send(packed(SOUND_KIND, rateHz, timeS, pcm));
  }

  /** Request a listener or none, now and after every reconnection. */
  sendListen(wish) {
    this.listen = wish;
    if (this.state === "open") this.socket.send(JSON.stringify(wish));
  }

  /** Send settings now and after every reconnection. */
  sendSettings(settings) {
    this.settings = settings;
    if (this.state === "open") this.socket.send(JSON.stringify(settings));
  }

  /** Start or stop requesting the face's token with every moment, also after every reconnection. */
  sendFaceTokens(on) {
    this.faceTokens = on;
    if (this.state === "open") this.socket.send(JSON.stringify({ type: "face_tokens", on }));
  }

  /** Send a request that is not repeated after a reconnection. */
  tell(wish) {
    if (this.state === "open") this.socket.send(JSON.stringify(wish));
  }

  receive(data) {
    const message = JSON.parse(data);
    message.sent = this.sent.get(message.id);
    for (const id of this.sent.keys()) if (id <= message.id) this.sent.delete(id);
    if (message.type === "hello") {
      this.openedAtMs = epochMs();
      this.enter("open");
      if (this.settings) this.sendSettings(this.settings);
      if (this.faceTokens) this.sendFaceTokens(true);
      if (this.listen?.on) this.sendListen(this.listen);
    }
    if (message.type === "resume") {
      this.token = message.token;
      return;
    }
    if (message.type === "error") {
      if (STALE.includes(message.code)) {
        this.token = null; // a server that started anew; everything that the page wished for is told again
        return;
      }
      if (message.id === null && !REFUSALS.includes(message.code)) this.error = message;
      else this.emit("problem", message);
      return;
    }
    this.emit(message.type, message);
  }

  closed(event) {
    const young = !this.openedAtMs || epochMs() - this.openedAtMs < YOUNG_MS;
    const reason = this.error?.message || event.reason;
    this.forget();
    if (FINAL.includes(event.code)) return this.enter("refused", { code: event.code, reason });
    if (event.code === Close.IDLE) return this.enter("idle", { code: event.code, reason });
    this.failures = young ? this.failures + 1 : 1;
    const waitMs = backoffMs(this.failures);
    this.timer = self.setTimeout(() => this.connect(), waitMs);
    return this.enter("waiting", { code: event.code, reason, retryAtMs: epochMs() + waitMs });
  }

  forget() {
    if (this.socket) this.socket.onclose = this.socket.onmessage = this.socket.onopen = null;
    this.socket = null;
    this.openedAtMs = 0;
    this.sent.clear();
  }

  checkSilence() {
    const [oldest] = this.sent.values();
    if (!oldest || epochMs() - oldest.atMs < SILENT_MS) return;
    const socket = this.socket;
    this.closed({ code: 1006, reason: "the server does not answer" });
    socket.close();
  }

  enter(state, detail = {}) {
    this.state = state;
    this.emit("state", { state, ...detail });
  }

  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
