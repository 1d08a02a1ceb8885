// Rates and percentiles of recent events.

export class Rate {
  /** Events per second over the last `spanMs`. */
  constructor(spanMs = 2000) {
    this.spanMs = spanMs;
    this.times = [];
  }

  add(nowMs) {
    this.times.push(nowMs);
  }

  perSecond(nowMs) {
    while (this.times.length && this.times[0] < nowMs - this.spanMs) this.times.shift();
    if (this.times.length < 2) return 0;
    return (1000 * (this.times.length - 1)) / Math.max(nowMs - this.times[0], 1);
  }
}

export class Percentiles {
  /** Percentiles of the last `size` values. */
  constructor(size = 300) {
    this.size = size;
    this.values = [];
    this.next = 0;
  }

  add(value) {
    this.values[this.next] = value;
    this.next = (this.next + 1) % this.size;
  }

  clear() {
    this.values = [];
    this.next = 0;
  }

  at(...shares) {
    const sorted = [...this.values].sort((a, b) => a - b);
    return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  }
}

/** Milliseconds on a clock that the page and its workers share. */
export const epochMs = () => performance.timeOrigin + performance.now();
