// Where makeup goes: smooth outlines through the landmarks, as areas to paint.
//
// The same areas as in Python (amesh/effects/makeup_shapes.py). Lengths are shares of the face's
// unit, the distance of the outer eye corners in space, which turning the head does not shorten.

import { FACE, type EyeRows } from './face-data';
import { fit } from './rotation';
import { curve, loop, opening, type Point } from './splines';

/** A polygon to fill; later layers replace earlier ones. */
export interface Layer {
  outline: Point[];
  level: number;
}

/** A plane over the picture: `level + x * slopeX + y * slopeY`. */
export type Plane = readonly [level: number, slopeX: number, slopeY: number];

/** Where one product goes on one part of the face. */
export interface Area {
  layers: Layer[];
  /** Standard deviation of the soft edge [px]. */
  feather: number;
  /** The area stays within this polygon, out of that one; `edge` is their soft edge [px]. */
  inside?: Point[];
  outside?: Point[];
  edge?: number;
  /** Share of the pigment, 0 to 1. */
  cover?: number;
  /** How visible the surface is: gone below 0, whole above 1. */
  fade: Plane;
}

interface EyeShape {
  lash: Point[];
  lower: Point[];
  fold: Point[];
  bone: Point[];
  /** Four points on the outline of the iris, each opposite the next but one. */
  ring: Point[];
  opening: Point[];
  fade: Plane;
}

/** The landmarks of a face, and what all products need of them. */
export class FaceShape {
  /** Distance of the outer eye corners in space [px]. */
  readonly unit: number;
  /** Longer side of the landmarks' box [px]. */
  readonly size: number;
  private readonly facing: Float64Array;
  private bothEyes?: EyeShape[];

  constructor(private readonly landmarks: ArrayLike<number>) {
    const [first, last] = FACE.corners as [number, number];
    const at = (row: number, axis: number): number => landmarks[3 * row + axis]!;
    this.unit = Math.hypot(...[0, 1, 2].map((axis) => at(first, axis) - at(last, axis)));
    this.size = Math.max(...[0, 1].map((axis) => extent(landmarks, axis)));
    this.facing = facing(landmarks);
  }

  points(rows: readonly number[]): Point[] {
    return rows.map((row) => [this.landmarks[3 * row]!, this.landmarks[3 * row + 1]!]);
  }

  get eyes(): EyeShape[] {
    return (this.bothEyes ??= FACE.eyes.map((rows) => this.eye(rows)));
  }

  /**
   * The visibility of a part of the face: the plane through the cosines at its landmarks.
   *
   * @param gone Cosine at which makeup is gone.
   * @param whole Cosine from which it is whole.
   */
  fade(rows: readonly number[], gone = 0.25, whole = 0.5): Plane {
    const samples = rows.map((row) => [
      this.landmarks[3 * row]! / this.unit,
      this.landmarks[3 * row + 1]! / this.unit,
      this.facing[row]!,
    ]);
    const count = rows.length;
    const [mx, my, mc] = [0, 1, 2].map(
      (i) => samples.reduce((sum, s) => sum + s[i]!, 0) / count,
    ) as [number, number, number];
    // A ridge keeps the plane level across landmarks that nearly lie on a line.
    let [xx, xy, xc, yy, yc] = [2e-3 * count, 0, 0, 2e-3 * count, 0];
    for (const [x, y, c] of samples as [number, number, number][]) {
      xx += (x - mx) * (x - mx);
      xy += (x - mx) * (y - my);
      xc += (x - mx) * (c - mc);
      yy += (y - my) * (y - my);
      yc += (y - my) * (c - mc);
    }
    const determinant = xx * yy - xy * xy;
    const slopeX = (xc * yy - yc * xy) / determinant;
    const slopeY = (yc * xx - xc * xy) / determinant;
    const level = mc - slopeX * mx - slopeY * my - gone;
    const range = whole - gone;
    return [level / range, slopeX / this.unit / range, slopeY / this.unit / range];
  }

  private eye(rows: EyeRows): EyeShape {
    const [lash, lower, fold, bone] = [rows.upper, rows.lower, rows.fold, rows.bone].map((row) =>
      curve(this.points(row)),
    ) as [Point[], Point[], Point[], Point[]];
    return {
      lash,
      lower,
      fold,
      bone,
      ring: this.points(rows.iris.slice(1)),
      opening: opening(lash, lower),
      fade: this.fade([...rows.upper, ...rows.lower, ...rows.fold]),
    };
  }
}

/** The lips without what an open mouth shows. */
export function lips(face: FaceShape): Area[] {
  const [outer, inner] = FACE.lips.map(({ upper, lower }) =>
    opening(curve(face.points(upper)), curve(face.points(lower))),
  ) as [Point[], Point[]];
  const { upper, lower } = FACE.lips[0]!;
  return [
    {
      layers: [{ outline: outer, level: 1 }],
      feather: 0.012 * face.unit,
      outside: inner,
      edge: 0.005 * face.unit,
      fade: face.fade([...upper, ...lower.slice(1, -1)], 0.1, 0.45),
    },
  ];
}

/** A line along the upper lashes that grows towards the outer corner and runs out in a wing. */
export function eyeLines(face: FaceShape): Area[] {
  return face.eyes.map(({ lash, lower, fold, fade }) => {
    const count = lash.length;
    const [outer, middle] = [lash[0]!, Math.floor(count / 2)];
    const up = unit(minus(fold[middle]!, lower[middle]!));
    // The wing goes on where the lower lid ends, a little steeper.
    const ahead = unit(plus(unit(minus(outer, lower[Math.floor(count / 3)]!)), up, 0.35));
    const tip = plus(outer, ahead, 0.2 * distance(outer, lash.at(-1)!));
    const above = lash.map((point, i) => {
      const along = 1 - i / (count - 1);
      return plus(point, up, face.unit * (0.006 + 0.02 * along ** 1.5));
    });
    const below = lash.map((point) => plus(point, up, -0.004 * face.unit)).reverse();
    return {
      layers: [{ outline: [tip, ...above, ...below], level: 1 }],
      feather: 0.005 * face.unit,
      fade,
    };
  });
}

/** The upper lid, and weaker from the fold towards the brow. */
export function eyeLidsAndFolds(face: FaceShape): Area[] {
  return face.eyes.map((eye) => ({
    layers: [
      [0.8, 0.3],
      [0.4, 0.6],
      [0, 1],
    ].map(([share, level]) => {
      const top = eye.fold.map((point, i) => plus(point, minus(eye.bone[i]!, point), share!));
      return { outline: [...eye.lash, ...top.reverse()], level: level! };
    }),
    feather: 0.028 * face.unit,
    outside: eye.opening,
    edge: 0.006 * face.unit,
    fade: eye.fade,
  }));
}

/** The cheeks, from their middle up to the temples. */
export function cheeks(face: FaceShape): Area[] {
  const oval = loop(face.points(FACE.oval));
  const middle = mean(oval);
  const inside = oval.map((point) => plus(middle, minus(point, middle), 0.93)); // its soft edge ends at the outline
  return FACE.cheeks.map((row) => ({
    layers: [{ outline: loop(face.points(row)), level: 1 }],
    feather: 0.075 * face.unit,
    inside,
    edge: 0.04 * face.unit,
    fade: face.fade(row),
  }));
}

/** The irises without pupils, as far as the lids leave them visible. */
export function irises(face: FaceShape): Area[] {
  return face.eyes.map((eye) => {
    const [first, top, second, bottom] = eye.ring as [Point, Point, Point, Point];
    const centre = mean(eye.ring);
    const circle = (share: number): Point[] =>
      Array.from({ length: 40 }, (_, i) => {
        const angle = (2 * Math.PI * i) / 40;
        const out = plus(centre, minus(first, second), (share * Math.cos(angle)) / 2);
        return plus(out, minus(top, bottom), (share * Math.sin(angle)) / 2);
      });
    const across = (distance(first, second) + distance(top, bottom)) / 2;
    const third = Math.floor(eye.lash.length / 3);
    const lower = eye.lower.slice(third, -third);
    const gaps = eye.lash.slice(third, -third).map((point, i) => distance(point, lower[i]!));
    const gap = gaps.reduce((sum, value) => sum + value, 0) / gaps.length;
    return {
      layers: [
        { outline: circle(0.96), level: 1 },
        { outline: circle(0.36), level: 0 },
      ],
      feather: 0.05 * across,
      inside: eye.opening,
      edge: 0.03 * across,
      cover: Math.min(Math.max((gap / Math.max(across, 1e-9) - 0.15) / 0.2, 0), 1),
      fade: eye.fade,
    };
  });
}

/**
 * The cosine between the surface's normal and the direction to the camera, at each landmark.
 *
 * The normals are the mean face's, turned as the head is: those of the landmarks themselves follow
 * each fold of an open mouth.
 */
function facing(landmarks: ArrayLike<number>): Float64Array {
  const { rotation } = fit(FACE.template, landmarks);
  const cosines = new Float64Array(FACE.normals.length / 3);
  for (let row = 0; row < cosines.length; row++) {
    const [x, y, z] = [
      FACE.normals[3 * row]!,
      FACE.normals[3 * row + 1]!,
      FACE.normals[3 * row + 2]!,
    ];
    cosines[row] = -(rotation[6]! * x + rotation[7]! * y + rotation[8]! * z);
  }
  return cosines;
}

function extent(landmarks: ArrayLike<number>, axis: number): number {
  let [low, high] = [Infinity, -Infinity];
  for (let i = axis; i < landmarks.length; i += 3) {
    low = Math.min(low, landmarks[i]!);
    high = Math.max(high, landmarks[i]!);
  }
  return high - low;
}

function plus(point: Point, way: Point, share = 1): Point {
  return [point[0] + share * way[0], point[1] + share * way[1]];
}

function minus(a: Point, b: Point): Point {
  return [a[0] - b[0], a[1] - b[1]];
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function unit(way: Point): Point {
  const length = Math.max(Math.hypot(...way), 1e-9);
  return [way[0] / length, way[1] / length];
}

function mean(points: readonly Point[]): Point {
  let [x, y] = [0, 0];
  for (const point of points) {
    x += point[0];
    y += point[1];
  }
  return [x / points.length, y / points.length];
}
