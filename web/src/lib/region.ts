/**
 * The square region of interest that a network's input is cut from.
 *
 * Coordinates are continuous: the corner of the top-left pixel is (0, 0), its centre (0.5, 0.5).
 * Angles are clockwise on the screen, in radians.
 */

import constants from './constants.json';
import { TOPOLOGY } from './topology';

/** A square in the picture: its centre and side in pixels, and the angle of its x axis. */
export interface Region {
  cx: number;
  cy: number;
  size: number;
  angle: number;
}

/** [a, b, tx, c, d, ty]: takes (x, y) to (a x + b y + tx, c x + d y + ty). */
export type Affine = readonly [number, number, number, number, number, number];

type Rule = readonly [scale: number, right: number, down: number];
type Line = readonly [dx: number, dy: number];

/** Between these widths of the face, relative to the front, its roll is read from the midline. */
const PROFILE = constants.region.profile as [near: number, far: number];

/** The region around a box whose eyes, image-left one first, are `line` apart. */
export function fromBox(
  [left, top, right, bottom]: readonly [number, number, number, number],
  line: Line,
  [scale, shiftRight, shiftDown]: Rule = TOPOLOGY.fromDetection,
): Region {
  const angle = Math.atan2(line[1], line[0]);
  const side = Math.max(right - left, bottom - top);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return {
    cx: (left + right) / 2 + side * (shiftRight * cos - shiftDown * sin),
    cy: (top + bottom) / 2 + side * (shiftRight * sin + shiftDown * cos),
    size: side * scale,
    angle,
  };
}

/** The region that landmarks (478 x 3) ask for: where the face is looked for in the next frame. */
export function fromLandmarks(landmarks: ArrayLike<number>): Region {
  return fromBox(boxOf(landmarks), level(landmarks), TOPOLOGY.fromLandmarks);
}

/** Left, top, right, bottom of the upright box around landmarks (478 x 3). */
export function boxOf(landmarks: ArrayLike<number>): [number, number, number, number] {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    const [x, y] = [landmarks[i]!, landmarks[i + 1]!];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return [left, top, right, bottom];
}

/** The affine from the pixels of a crop with this side to those of the picture. */
export function imageFromCrop({ cx, cy, size, angle }: Region, side: number): Affine {
  const scale = size / side;
  const [a, c] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  const half = side / 2;
  return [a, -c, cx - (a - c) * half, c, a, cy - (c + a) * half];
}

/** Distance of the centres, in sides of the other region. */
export function apart(one: Region, other: Region): number {
  return Math.hypot(one.cx - other.cx, one.cy - other.cy) / other.size;
}

/**
 * A line that is level with the face: the one between the anchors, unless the face is in profile.
 * There the anchors nearly meet, and the midline, which is as long from every side, decides.
 */
function level(landmarks: ArrayLike<number>): Line {
  const between = ([first, second]: readonly [number, number]): Line => [
    landmarks[3 * second]! - landmarks[3 * first]!,
    landmarks[3 * second + 1]! - landmarks[3 * first + 1]!,
  ];
  const across = between(TOPOLOGY.anchors);
  const down = between(TOPOLOGY.midline);
  const right: Line = [down[1], -down[0]];
  const width = Math.max(Math.hypot(...across), 1e-6);
  const height = Math.max(Math.hypot(...right), 1e-6);
  const [near, far] = PROFILE;
  const ratio = width / (height * TOPOLOGY.frontal);
  const share = Math.min(Math.max((near - ratio) / (near - far), 0), 1);
  if (share === 0) return across;
  const [x, y] = [0, 1].map((axis) => {
    const [one, other] = [across[axis]! / width, right[axis]! / height];
    return one * (1 - share) + other * share;
  });
  return [x!, y!];
}
