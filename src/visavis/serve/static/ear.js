// The sound source: a microphone or a played clip, whose sound goes to the courier in pieces.

import { SoundClock } from "./sound_clock.js";
import { epochMs } from "./stats.js";

export class Ear {
  /** @param {HTMLVideoElement} video plays clips @param {Link} link takes the sound */
  constructor(video, link) {
    this.video = video;
    this.link = link;
    this.run = 0;
    this.pieces = 0; // number of pieces so far
  }

  /** Hear the microphone; fails as getUserMedia does. */
  async openMicrophone() {
    const run = this.begin();
    const wanted = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    if (run !== this.run) return stream.getTracks().forEach((track) => track.stop());
    this.stream = stream;
    try {
      const node = await this.listener();
      if (run === this.run) this.connect(this.context.createMediaStreamSource(stream), node);
    } catch (error) {
      if (run === this.run) this.close(); // It is no longer needed, so it must not stay open.
      throw error;
    }
    return undefined;
  }

  /** Hear the clip that the video plays; so does the person. */
  async openClip() {
    const run = this.begin();
    const node = await this.listener();
    if (run !== this.run) return;
    // The sound of a video can be connected only once.
    this.tap ??= this.context.createMediaElementSource(this.video);
    this.connect(this.tap, node);
    this.tap.connect(this.context.destination);
    this.video.muted = false;
  }

  close() {
    this.run += 1;
    this.source?.disconnect();
    this.node?.disconnect();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.source = this.node = this.stream = null;
    this.video.muted = true;
    this.context?.suspend();
  }

  begin() {
    this.close();
    return this.run;
  }

  async listener() {
    this.context ??= new AudioContext();
    this.loaded ??= this.context.audioWorklet.addModule(new URL("sound_worklet.js", import.meta.url));
    try {
      await this.loaded;
    } catch (error) {
      this.loaded = null; // The next attempt may succeed.
      throw error;
    }
    this.context.resume(); // waits for the person's first click if there was none yet
    const node = new AudioWorkletNode(this.context, "pieces", { numberOfOutputs: 0 });
    const rateHz = this.context.sampleRate;
    const clock = new SoundClock(rateHz);
    node.port.onmessage = ({ data: { pcm, first, count } }) => {
      if (node !== this.node) return;
      this.pieces += 1;
      this.link.giveSound(pcm, rateHz, clock.timeOf(first, count, epochMs()));
    };
    return node;
  }

  connect(source, node) {
    this.source = source;
    this.node = node;
    source.connect(node);
  }
}
