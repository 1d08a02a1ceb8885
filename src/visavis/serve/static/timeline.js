// The timeline of the last minute: one band for each expression; together the bands fill the height.

const SPAN_S = 60;
const STEP_S = 0.25;
const GAP_S = 1; // a longer pause between two readings is drawn as a gap

export class Timeline {
  constructor(canvas, caption) {
    this.canvas = canvas;
    this.caption = caption;
    this.context = canvas.getContext("2d");
    this.readings = []; // {timeS, shares}, one for each STEP_S
    this.expressions = [];
    this.drawnS = -Infinity;
  }

  name(expressions) {
    this.expressions = expressions;
    this.readings = [];
  }

  add(timeS, expression) {
    const last = this.readings.at(-1);
    if (!expression || (last && timeS - last.timeS < STEP_S)) return;
    this.readings.push({ timeS, shares: expression.expressions });
    while (this.readings[0].timeS < timeS - SPAN_S - STEP_S) this.readings.shift();
  }

  clear() {
    this.readings = [];
  }

  /** Redraw, at most ten times a second. */
  draw(nowS) {
    if (nowS - this.drawnS < 0.1) return;
    this.drawnS = nowS;
    const refit = this.fit();
    if (!refit && !this.readings.length && this.blank) return;
    this.blank = !this.readings.length;
    const { width, height } = this.canvas;
    this.context.clearRect(0, 0, width, height);
    this.drawGrid(width, height);
    const style = getComputedStyle(this.canvas);
    for (const run of this.runs()) this.drawRun(run, nowS, style);
    this.caption.textContent = this.summary();
  }

  fit() {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.round(this.canvas.clientWidth * scale);
    const height = Math.round(this.canvas.clientHeight * scale);
    if (this.canvas.width === width && this.canvas.height === height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    return true;
  }

  drawGrid(width, height) {
    const { context } = this;
    context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--line");
    context.lineWidth = 1;
    context.beginPath();
    for (let s = 10; s < SPAN_S; s += 10) {
      const x = Math.round(width * (1 - s / SPAN_S)) + 0.5;
      context.moveTo(x, 0);
      context.lineTo(x, height);
    }
    context.stroke();
  }

  runs() {
    const runs = [];
    for (const reading of this.readings) {
      const run = runs.at(-1);
      if (run && reading.timeS - run.at(-1).timeS < GAP_S) run.push(reading);
      else runs.push([reading]);
    }
    return runs.filter((run) => run.length > 1);
  }

  drawRun(run, nowS, style) {
    const { context } = this;
    const { width, height } = this.canvas;
    const x = run.map(({ timeS }) => width * (1 - (nowS - timeS) / SPAN_S));
    let below = run.map(() => height);
    this.expressions.forEach((name, index) => {
      const above = run.map(({ shares }, i) => below[i] - shares[index] * height);
      context.beginPath();
      x.forEach((at, i) => context.lineTo(at, above[i]));
      for (let i = x.length - 1; i >= 0; i -= 1) context.lineTo(x[i], below[i]);
      context.closePath();
      context.fillStyle = style.getPropertyValue(`--${name}`);
      context.fill();
      below = above;
    });
  }

  summary() {
    if (!this.readings.length) return "Nothing read yet.";
    const counts = this.expressions.map(() => 0);
    this.readings.forEach(({ shares }) => { counts[shares.indexOf(Math.max(...shares))] += 1; });
    const top = counts.indexOf(Math.max(...counts));
    const percent = Math.round((100 * counts[top]) / this.readings.length);
    return `Most often ${this.expressions[top]} (${percent} %)`;
  }
}
