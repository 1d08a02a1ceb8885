// Pieces of sound and when they arrived in, when each was taken out: evenly, however late messages come.

const DRIFT = 0.0005; // of the time: how much slower a device's clock may run
const JUMP_MS = 150; // more than a busy page delays a message: the sound was interrupted

export class SoundClock {
  constructor(rateHz) {
    this.rateHz = rateHz;
    this.offsetMs = null;
  }

  /** When the first sample was taken of a piece from sample number `first` on that arrived at `arrivedMs`. */
  timeOf(first, count, arrivedMs) {
    const lateMs = arrivedMs - (1000 * (first + count)) / this.rateHz;
    // The earliest message waited least; others only say that the clock may have drifted.
    if (this.offsetMs === null || lateMs < this.offsetMs || lateMs - this.offsetMs > JUMP_MS) this.offsetMs = lateMs;
    else this.offsetMs += Math.min(lateMs - this.offsetMs, (1000 * DRIFT * count) / this.rateHz);
    return this.offsetMs + (1000 * first) / this.rateHz;
  }
}
