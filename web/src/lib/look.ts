/** What the landmark network sees of a face. */

import type { Region } from './region';

/** What the landmark network saw in a region of the picture. */
export interface Look {
  region: Region;
  /** x, y and z of each landmark (478 x 3) [image px]. */
  landmarks: Float64Array;
  /** Of the face flag: there is a face if it is above 0. */
  logit: number;
  /** Expected error of each landmark [image px], where the network predicts it. */
  expectedError?: Float64Array;
}

/** The confidence that a look shows a face, from 0 to 1. */
export function scoreOf(look: Look): number {
  return 1 / (1 + Math.exp(-look.logit));
}
