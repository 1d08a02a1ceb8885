// Figures of how fast the page and its server are.

import { FOLLOW_LAG_MS } from "./follow.js";
import { Percentiles, Rate, epochMs } from "./stats.js";

const $ = (id) => document.getElementById(id);

export class Figures {
  constructor() {
    this.moments = 0;
    this.problems = 0;
    this.dropped = 0;
    this.lagMs = FOLLOW_LAG_MS;
    this.roundTrips = new Rate();
    this.screen = new Rate();
    this.latency = new Percentiles();
    this.undrawn = []; // sending times of frames whose poses are not yet drawn
  }

  /** Another source begins; times of the last one do not count. */
  begin() {
    this.latency.clear();
  }

  came(moment) {
    this.moments += 1;
    this.dropped = moment.dropped;
    this.roundTrips.add(performance.now());
    if (moment.sent) this.undrawn.push(moment.sent.atMs);
  }

  /** The avatar has the pose of the last moment. */
  drawn() {
    this.screen.add(performance.now());
    this.undrawn.forEach((sentMs) => this.latency.add(epochMs() - sentMs));
    this.undrawn = [];
  }

  get roundTripsPerS() {
    return this.roundTrips.perSecond(performance.now());
  }

  get screenPerS() {
    return this.screen.perSecond(performance.now());
  }

  /** Median and 95th percentile from sent to drawn; undefined before the first. */
  get drawnMs() {
    return this.latency.at(0.5, 0.95);
  }

  show() {
    const [p50, p95] = this.drawnMs.map((ms) => ms + this.lagMs);
    const trips = this.roundTripsPerS;
    $("read-fps").textContent = trips ? `${trips.toFixed(0)} / s` : "–";
    $("read-latency").textContent = p50 ? `${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms` : "–";
    $("read-screen").textContent = `${this.screenPerS.toFixed(0)} fps`;
    $("read-dropped").textContent = String(this.dropped);
  }
}
