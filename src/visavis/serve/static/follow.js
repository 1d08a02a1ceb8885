// Smooth poses for every screen refresh from 25 to 30 poses a second, and idle motion without poses.

const FOLLOW_RATE = 80; // 1/s; a critically damped follower lags 2 / rate behind
const EASE_RATE = 6; // when nobody moves the avatar
const RAMP_S = 0.35;
const STALE_S = 1.0;
const BREATH_S = 3.2;
const BLINK_EVERY_S = 4;
const BLINK_S = { close: 0.1, hold: 0.05, open: 0.15 };

/** The follower's own delay, in milliseconds. */
export const FOLLOW_LAG_MS = 2000 / FOLLOW_RATE;

const OPEN_EYES = { ParamEyeLOpen: 1, ParamEyeROpen: 1 };

/** 0 (open) to 1 (closed) at `sinceS` seconds into a blink. */
export function blinkAt(sinceS) {
  if (sinceS < 0) return 0;
  if (sinceS < BLINK_S.close) return sinceS / BLINK_S.close;
  const held = sinceS - BLINK_S.close - BLINK_S.hold;
  return held < 0 ? 1 : Math.max(0, 1 - held / BLINK_S.open);
}

export class Follower {
  constructor(random = Math.random) {
    this.random = random;
    this.shown = { ...OPEN_EYES };
    this.speed = {};
    this.rate = EASE_RATE;
    this.pose = null;
    this.poseAtS = -Infinity;
    this.blinkStartS = 1;
  }

  /** A new pose has arrived. */
  lead(pose, nowS) {
    this.pose = pose;
    this.poseAtS = nowS;
  }

  isLed(nowS) {
    return this.pose !== null && nowS - this.poseAtS < STALE_S;
  }

  /** The pose to draw at `nowS`. */
  at(nowS) {
    const elapsedS = Math.min(0.1, Math.max(0, nowS - (this.lastS ?? nowS)));
    this.lastS = nowS;
    const led = this.isLed(nowS);
    // Idle motion starts gently at once; a new leader is followed more and more closely, so nothing jumps.
    this.rate = led ? Math.min(FOLLOW_RATE, this.rate + ((FOLLOW_RATE - EASE_RATE) * elapsedS) / RAMP_S) : EASE_RATE;
    this.move(led ? this.pose : this.rest(nowS), elapsedS);
    return led ? this.shown : this.alive(nowS);
  }

  move(target, elapsedS) {
    const decay = Math.exp(-this.rate * elapsedS);
    const names = new Set([...Object.keys(this.shown), ...Object.keys(target)]);
    for (const name of names) {
      const goal = target[name] ?? OPEN_EYES[name] ?? 0;
      const away = (this.shown[name] ?? goal) - goal;
      const push = ((this.speed[name] ?? 0) + this.rate * away) * elapsedS;
      this.speed[name] = ((this.speed[name] ?? 0) - this.rate * push) * decay;
      this.shown[name] = goal + (away + push) * decay;
    }
  }

  /** Breath, and a slow sway around the rest pose: sines of unrelated periods. */
  rest(nowS) {
    return {
      ...OPEN_EYES,
      ParamAngleX: 4 * Math.sin(nowS / 2.3) + 2 * Math.sin(nowS / 0.97),
      ParamAngleY: 2 * Math.sin(nowS / 1.7),
      ParamAngleZ: 3 * Math.sin(nowS / 3.1),
      ParamBodyAngleX: 1.5 * Math.sin(nowS / 2.9),
      ParamBodyAngleZ: Math.sin(nowS / 3.7),
      ParamEyeBallX: 0.2 * Math.sin(nowS / 1.9),
      ParamMouthForm: 0.25,
      ParamBreath: 0.5 - 0.5 * Math.cos((2 * Math.PI * nowS) / BREATH_S),
    };
  }

  /** The displayed pose, with blinks, which are too quick to be followed. */
  alive(nowS) {
    if (nowS - this.blinkStartS > 1) this.blinkStartS = nowS + BLINK_EVERY_S * (0.5 + this.random());
    const open = 1 - blinkAt(nowS - this.blinkStartS);
    return {
      ...this.shown,
      ParamEyeLOpen: this.shown.ParamEyeLOpen * open,
      ParamEyeROpen: this.shown.ParamEyeROpen * open,
    };
  }
}
