// The rotation that turns one set of points to another as nearly as possible (Horn, 1987).

/** A 3 x 3 matrix, row after row. */
export type Matrix3 = readonly number[];

export interface Fit {
  rotation: Matrix3;
  scale: number;
  /** Middle of the points that the fit leads from, and of those that it leads to. */
  from: readonly number[];
  to: readonly number[];
}

/**
 * Fits `to = scale * rotation @ (from - middle) + middle of to` by least squares.
 *
 * @param from Points, flat (n x 3).
 * @param to Points of the same number, flat (n x 3).
 * @param rows Which points count; all by default.
 */
export function fit(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  rows: readonly number[] = Array.from({ length: from.length / 3 }, (_, i) => i),
): Fit {
  const a = middle(from, rows);
  const b = middle(to, rows);
  const s = new Array<number>(9).fill(0); // of products of coordinates
  let spread = 0;
  for (const row of rows) {
    for (let i = 0; i < 3; i++) {
      const p = from[3 * row + i]! - a[i]!;
      spread += p * p;
      for (let j = 0; j < 3; j++) s[3 * i + j]! += p * (to[3 * row + j]! - b[j]!);
    }
  }
  const rotation = fromQuaternion(quaternion(s));
  let along = 0; // trace of rotation @ s
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) along += rotation[3 * j + i]! * s[3 * i + j]!;
  return { rotation, scale: spread > 0 ? along / spread : 0, from: a, to: b };
}

/** `matrix @ vector`. */
export function turn(matrix: Matrix3, x: number, y: number, z: number): [number, number, number] {
  return [
    matrix[0]! * x + matrix[1]! * y + matrix[2]! * z,
    matrix[3]! * x + matrix[4]! * y + matrix[5]! * z,
    matrix[6]! * x + matrix[7]! * y + matrix[8]! * z,
  ];
}

function middle(points: ArrayLike<number>, rows: readonly number[]): number[] {
  const sum = [0, 0, 0];
  for (const row of rows) for (let i = 0; i < 3; i++) sum[i]! += points[3 * row + i]!;
  return sum.map((value) => value / rows.length);
}

/** The eigenvector of the largest eigenvalue of Horn's matrix: the rotation as a quaternion. */
function quaternion(s: readonly number[]): number[] {
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = s as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const m = [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ];
  const vectors = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ];
  // Jacobi's method: a 4 x 4 is diagonal to rounding after about five sweeps.
  for (let sweep = 0; sweep < 10; sweep++) {
    for (let p = 0; p < 3; p++) {
      for (let q = p + 1; q < 4; q++) {
        const off = m[p]![q]!;
        if (off === 0) continue;
        const theta = (m[q]![q]! - m[p]![p]!) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        rotate(m, vectors, p, q, c, t * c);
      }
    }
  }
  let best = 0;
  for (let i = 1; i < 4; i++) if (m[i]![i]! > m[best]![best]!) best = i;
  return vectors.map((row) => row[best]!);
}

function rotate(
  m: number[][],
  vectors: number[][],
  p: number,
  q: number,
  c: number,
  s: number,
): void {
  for (const rows of [m, vectors]) {
    for (const row of rows)
      [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
  }
  for (let k = 0; k < 4; k++) {
    const [a, b] = [m[p]![k]!, m[q]![k]!];
    m[p]![k] = c * a - s * b;
    m[q]![k] = s * a + c * b;
  }
}

function fromQuaternion(q: readonly number[]): number[] {
  const [w, x, y, z] = q as [number, number, number, number];
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ]; // prettier-ignore
}
