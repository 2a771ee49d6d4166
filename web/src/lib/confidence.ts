/** How likely landmarks are to be right, from the errors that the network expects. */

import constants from './constants.json';
import { boxOf } from './region';
import { TOPOLOGY } from './topology';

const {
  tolerance: TOLERANCE, // a landmark is right within this share of the face's size
  certain: CERTAIN, // twice the limit over the expected error, from which the probability is 1
} = constants.confidence;

/**
 * Probability that each landmark of a face is right.
 *
 * @param expected Distance of each landmark from its true place that the network expects [image px].
 * @param landmarks All landmarks of the face (478 x 3) [image px].
 */
export function confidence(
  expected: ArrayLike<number>,
  landmarks: ArrayLike<number>,
): Float32Array {
  const [left, top, right, bottom] = boxOf(landmarks);
  const limit = TOLERANCE * TOPOLOGY.eyeShare * Math.max(right - left, bottom - top);
  return Float32Array.from(expected, (error) => {
    const ratio = Math.min((2 * limit) / error, CERTAIN);
    return 1 - (1 + ratio) * Math.exp(-ratio);
  });
}
