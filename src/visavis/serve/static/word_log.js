// Each frame's face word in; runs of equal words and figures of the last minute out, bounded in memory.

const SPAN_S = 60;
const RATE_SPAN_S = 5;
/** More than a minute of words that change with every frame of a fast camera. */
export const MOST_RUNS = 4000;

export class WordLog {
  constructor() {
    this.made = 0;
    this.clear();
  }

  clear() {
    this.runs = []; // {number, name, word, count, startS, endS}, oldest first; name and word are null without a face
    this.sinceS = null;
  }

  /** @param {?{tokens: number[]}} word of the next frame; null where there is no face */
  add(timeS, word) {
    this.sinceS ??= timeS;
    const name = word && word.tokens.join("·");
    const last = this.runs.at(-1);
    if (last && last.name === name) {
      last.count += 1;
      last.endS = timeS;
    } else this.runs.push({ number: this.made++, name, word, count: 1, startS: timeS, endS: timeS });
    while (this.runs.length > MOST_RUNS || this.runs[0].endS < timeS - SPAN_S) this.runs.shift();
  }

  /** The runs from a number on. */
  from(number) {
    return this.runs.slice(Math.max(0, number - (this.runs[0]?.number ?? 0)));
  }

  /** How often a second a new word came after another, over the last seconds. */
  changesPerS(nowS) {
    if (this.sinceS === null) return 0;
    const changes = this.runs.filter(({ startS, name }) => name !== null && startS > Math.max(this.sinceS, nowS - RATE_SPAN_S));
    return changes.length / Math.min(RATE_SPAN_S, Math.max(1, nowS - this.sinceS));
  }

  /** How many different words were there in the last minute. */
  distinct(nowS) {
    return new Set(this.runs.filter(({ name, endS }) => name !== null && endS >= nowS - SPAN_S).map(({ name }) => name)).size;
  }
}
