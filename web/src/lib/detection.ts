/**
 * From the face detector's raw output to boxes: anchors, decoding, weighted suppression.
 *
 * A row of 16 numbers is a box (left, top, right, bottom) and six keypoints (x, y each), in pixels
 * of the detector's square input.
 */

import constants from './constants.json';
import type { Region } from './region';
import { fromBox } from './region';

/** Side of the detector's input [px]. */
export const DETECTOR_SIZE = constants.detector.size;
/** Cells along a side and anchors at each cell, of each grid in the order of the output. */
const GRIDS = constants.detector.grids as [cells: number, anchors: number][];
const {
  overlap: OVERLAP, // boxes that overlap by more are one face
  leastLogit: LEAST, // with which an anchor sees a face
} = constants.detector;

/** A face that the detector saw. */
export interface Row {
  values: Float64Array;
  score: number;
}

/** A detected face in the picture. */
export interface Detection {
  /** Left, top, right, bottom [image px]. */
  box: [number, number, number, number];
  /** The subject's right eye, left eye, nose tip, mouth, right and left ear: x, y each [image px]. */
  keypoints: Float64Array;
  score: number;
}

/** Centres of the anchors, x and y of each: all anchors of a cell lie at its centre. */
export const ANCHORS: Float64Array = anchors();

function anchors(): Float64Array {
  const centres: number[] = [];
  for (const [cells, repeats] of GRIDS) {
    const step = DETECTOR_SIZE / cells;
    for (let i = 0; i < cells * cells * repeats; i++) {
      const cell = Math.floor(i / repeats);
      centres.push(((cell % cells) + 0.5) * step, (Math.floor(cell / cells) + 0.5) * step);
    }
  }
  return Float64Array.from(centres);
}

/** Rows of the anchors that see a face. */
export function decode(boxes: ArrayLike<number>, logits: ArrayLike<number>): Row[] {
  const rows: Row[] = [];
  for (let n = 0; n < logits.length; n++) {
    const start = 16 * n;
    if (!(logits[n]! >= LEAST && boxes[start + 2]! >= 0 && boxes[start + 3]! >= 0)) continue;
    const values = new Float64Array(16);
    for (let i = 0; i < 16; i++)
      values[i] = boxes[start + i]! + (i === 2 || i === 3 ? 0 : ANCHORS[2 * n + (i % 2)]!);
    const [x, y, width, height] = values as unknown as [number, number, number, number];
    values.set([x - width / 2, y - height / 2, x + width / 2, y + height / 2]);
    rows.push({ values, score: 1 / (1 + Math.exp(-logits[n]!)) });
  }
  return rows;
}

/** One row for each face, best first: the mean, weighted by score, of those that overlap the best. */
export function suppress(rows: readonly Row[]): Row[] {
  let left = [...rows].sort((a, b) => b.score - a.score);
  const faces: Row[] = [];
  while (left.length) {
    const best = left[0]!;
    const same = left.filter((row) => row === best || overlap(best.values, row.values) > OVERLAP);
    left = left.filter((row) => !same.includes(row));
    const sum = same.reduce((total, row) => total + row.score, 0);
    const values = best.values.map((_, i) =>
      same.reduce((total, row) => total + (row.score / sum) * row.values[i]!, 0),
    );
    faces.push({ values, score: best.score });
  }
  return faces;
}

/** Intersection over union of two boxes; 0 where both are empty. */
export function overlap(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const side = (axis: number): number =>
    Math.max(0, Math.min(one[axis + 2]!, other[axis + 2]!) - Math.max(one[axis]!, other[axis]!));
  const area = (box: ArrayLike<number>): number => (box[2]! - box[0]!) * (box[3]! - box[1]!);
  const shared = side(0) * side(1);
  const union = area(one) + area(other) - shared;
  return union > 0 ? shared / union : 0;
}

/** Where the detector's input lies in the picture: pixel u of the input is at u * scale + shift. */
export function letterbox(
  width: number,
  height: number,
): { scale: number; shift: [number, number] } {
  const side = Math.max(width, height);
  return { scale: side / DETECTOR_SIZE, shift: [(width - side) / 2, (height - side) / 2] };
}

/** The faces in a picture, best first, from what the detector says of it. */
export function detections(
  boxes: ArrayLike<number>,
  logits: ArrayLike<number>,
  width: number,
  height: number,
): Detection[] {
  const { scale, shift } = letterbox(width, height);
  return suppress(decode(boxes, logits)).map(({ values, score }) => {
    const points = values.map((value, i) => value * scale + shift[i % 2]!);
    const [left, top, right, bottom] = points as unknown as [number, number, number, number];
    return { box: [left, top, right, bottom], keypoints: points.slice(4), score };
  });
}

/** The region around a detected face, its eyes level. */
export function regionOf({ box, keypoints }: Detection): Region {
  return fromBox(box, [keypoints[2]! - keypoints[0]!, keypoints[3]! - keypoints[1]!]);
}
