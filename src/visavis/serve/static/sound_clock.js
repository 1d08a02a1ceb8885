// A steady clock for pieces of sound, even if their messages come late.

const DRIFT = 0.0005; // share by which a device's clock may be slower
const JUMP_MS = 150; // more than a busy page delays a message: the sound was interrupted

export class SoundClock {
  constructor(rateHz) {
    this.rateHz = rateHz;
    this.offsetMs = null;
  }

  /** When the first sample was taken of a piece from sample number `first` on that arrived at `arrivedMs`. */
  timeOf(first, count, arrivedMs) {
    const lateMs = arrivedMs - (1000 * (first + count)) / this.rateHz;
    // The earliest message waited least; later ones only show possible drift.
    if (this.offsetMs === null || lateMs < this.offsetMs || lateMs - this.offsetMs > JUMP_MS) this.offsetMs = lateMs;
    else this.offsetMs += Math.min(lateMs - this.offsetMs, (1000 * DRIFT * count) / this.rateHz);
    return this.offsetMs + (1000 * first) / this.rateHz;
  }
}
