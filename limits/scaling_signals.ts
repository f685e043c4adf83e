/** What one look at the limit showed. */
export interface ScalingReading {
  /** Connections that are open. */
  active: number;
  /** Connections that this instance is meant to have. */
  limit: number;
  /** Connections refused since the start; a smaller number than before counts from 0 again. */
  rejections: number;
}

/** Time that rejections a second are taken over. */
const RATE_WINDOW_MS = 10_000;
/** Looks that are kept; more often than this in the window, the oldest is left out. */
const READINGS_MAX = 64;
/** Saturation from which more instances are wanted, and below which they are not any more. */
const SATURATION_HIGH = 0.9, SATURATION_LOW = 0.7;
/** How long it must have been high without a rejection, and how long it must have been low and without. */
const HIGH_MS = 5_000, LOW_MS = 60_000;

/**
 * What an autoscaler looks at: how full an instance is, how many connections it refuses a second, and whether it wants
 * company. The last has hysteresis:
 *
 * ```
 *  0 ──▶ 1   a connection was refused, or saturation has been 0.9 or more for 5 s
 *  1 ──▶ 0   no connection was refused and saturation has been below 0.7, both for 60 s
 * ```
 *
 * It has no clock of its own.
 */
export class ScalingSignals {
  readonly #readings: { nowMs: number; rejections: number }[] = [];
  #limit = 0;
  #saturation = 0;
  #needsScaleout = false;
  /** Since when saturation has been high, and since when everything has been calm; `null` while it is not. */
  #highSince: number | null = null;
  #calmSince: number | null = null;
  #lastRejections = 0;
  /** Rejections before the counter last began anew. */
  #rejectionsBefore = 0;

  /** Takes a look. */
  update({ active, limit, rejections }: ScalingReading, nowMs: number): void {
    if (rejections < this.#lastRejections) this.#rejectionsBefore += this.#lastRejections;
    const hasRejected = rejections !== this.#lastRejections && this.#readings.length > 0;
    this.#lastRejections = rejections;
    this.#readings.push({ nowMs, rejections: this.rejections });
    while (
      this.#readings.length > READINGS_MAX ||
      this.#readings.length > 2 && nowMs - this.#readings[1].nowMs >= RATE_WINDOW_MS
    ) this.#readings.shift();
    this.#limit = limit;
    this.#saturation = active / limit;
    const isHigh = this.#saturation >= SATURATION_HIGH;
    const isCalm = this.#saturation < SATURATION_LOW && !hasRejected;
    this.#highSince = isHigh ? this.#highSince ?? nowMs : null;
    this.#calmSince = isCalm ? this.#calmSince ?? nowMs : null;
    if (hasRejected || this.#highSince !== null && nowMs - this.#highSince >= HIGH_MS) {
      this.#needsScaleout = true;
    } else if (this.#calmSince !== null && nowMs - this.#calmSince >= LOW_MS) {
      this.#needsScaleout = false;
    }
  }

  /** The limit that was last seen. */
  get connectionLimit(): number {
    return this.#limit;
  }

  /** Connections refused, of all times. */
  get rejections(): number {
    return this.#rejectionsBefore + this.#lastRejections;
  }

  /** Connections refused a second, over the last ten. */
  get rejectionRate(): number {
    const first = this.#readings[0], last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.nowMs === first.nowMs) return 0;
    return (last.rejections - first.rejections) / (last.nowMs - first.nowMs) * 1_000;
  }

  /** Connections that are open, as a share of the limit. */
  get saturation(): number {
    return this.#saturation;
  }

  /** Whether more instances are wanted. */
  get needsScaleout(): boolean {
    return this.#needsScaleout;
  }
}
