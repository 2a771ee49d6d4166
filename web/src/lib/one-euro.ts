/**
 * The One-Euro filter: less jitter in landmarks that rest, little lag in those that move.
 *
 * Each coordinate goes through an exponential filter whose cutoff frequency grows with its speed, as
 * in Casiez, Roussel, Vogel: "1 Euro Filter" (CHI 2012). Speed is measured in sizes of the face per
 * second. `mediapipe` has the arithmetic and the numbers of MediaPipe's Face Landmarker.
 */

import constants from './constants.json';
import { boxOf } from './region';

/** Settings of the filter. */
export interface OneEuro {
  /** Cutoff frequency at rest [Hz]: lower values remove more jitter. */
  minCutoff: number;
  /** Growth of the cutoff frequency with speed [Hz per face size per second]: higher, less lag. */
  beta: number;
}

export type Smoothing = 'off' | 'light' | 'mediapipe' | 'strong';

export const PRESETS: Record<Smoothing, OneEuro | null> = constants.smoothing.presets;
const {
  derivativeCutoff: DERIVATIVE_CUTOFF, // of the speed's own filter [Hz]
  gap: GAP, // a face that was not seen for longer than this starts afresh [s]
} = constants.smoothing;

/** The filter with the state of one face. */
export class Smoother {
  #time = -Infinity;
  #raw: Float64Array = new Float64Array();
  #smooth: Float64Array = new Float64Array();
  #speed: Float64Array = new Float64Array();

  constructor(readonly settings: OneEuro) {}

  /**
   * Filters the landmarks (478 x 3) of the next frame, taken at this time [s].
   *
   * A time that does not grow repeats the last answer, as the speed is unknown. A step of more than
   * half a second in either direction starts afresh.
   */
  next(landmarks: Float64Array, time: number): Float64Array {
    const step = time - this.#time;
    if (!(Math.abs(step) <= GAP)) {
      this.#time = time;
      this.#raw = landmarks;
      this.#smooth = landmarks.slice();
      this.#speed = new Float64Array(landmarks.length);
      return this.#smooth;
    }
    if (step <= 0) return this.#smooth;
    const turns = 2 * Math.PI * step; // a weight is w / (1 + w) with w = turns * cutoff
    const [left, top, right, bottom] = boxOf(landmarks);
    const size = (right - left + bottom - top) / 2;
    const slow = turns * DERIVATIVE_CUTOFF;
    const smooth = new Float64Array(landmarks.length);
    for (let i = 0; i < landmarks.length; i++) {
      if (size > 0) {
        const speed = (landmarks[i]! - this.#raw[i]!) / (size * step);
        this.#speed[i]! += (speed - this.#speed[i]!) * (slow / (1 + slow));
      }
      const cutoff = this.settings.minCutoff + this.settings.beta * Math.abs(this.#speed[i]!);
      const fast = turns * cutoff;
      smooth[i] = this.#smooth[i]! + (landmarks[i]! - this.#smooth[i]!) * (fast / (1 + fast));
    }
    this.#time = time;
    this.#raw = landmarks;
    this.#smooth = smooth;
    return smooth;
  }
}
