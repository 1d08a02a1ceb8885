// A log of face tokens with limited memory: runs of equal tokens, and figures of the last minute.

const SPAN_S = 60;
const RATE_SPAN_S = 5;
/** More than a minute of tokens that change with every frame of a fast camera. */
export const MOST_RUNS = 4000;

export class TokenLog {
  constructor() {
    this.made = 0;
    this.clear();
  }

  clear() {
    this.runs = []; // {number, name, token, count, startS, endS}, oldest first; name and token are null without a face
    this.sinceS = null;
  }

  /** @param {?{tokens: number[]}} token of the next frame; null if there is no face */
  add(timeS, token) {
    this.sinceS ??= timeS;
    const name = token && token.tokens.join("·");
    const last = this.runs.at(-1);
    if (last && last.name === name) {
      last.count += 1;
      last.endS = timeS;
    } else this.runs.push({ number: this.made++, name, token, count: 1, startS: timeS, endS: timeS });
    while (this.runs.length > MOST_RUNS || this.runs[0].endS < timeS - SPAN_S) this.runs.shift();
  }

  /** The runs from a number on. */
  from(number) {
    return this.runs.slice(Math.max(0, number - (this.runs[0]?.number ?? 0)));
  }

  /** How many times a second the token changed in the last seconds. */
  changesPerS(nowS) {
    if (this.sinceS === null) return 0;
    const changes = this.runs.filter(({ startS, name }) => name !== null && startS > Math.max(this.sinceS, nowS - RATE_SPAN_S));
    return changes.length / Math.min(RATE_SPAN_S, Math.max(1, nowS - this.sinceS));
  }

  /** Number of different tokens in the last minute. */
  distinct(nowS) {
    return new Set(this.runs.filter(({ name, endS }) => name !== null && endS >= nowS - SPAN_S).map(({ name }) => name)).size;
  }
}
