// Smooth lines through landmarks: uniform Catmull-Rom splines.

export type Point = readonly [x: number, y: number];

const STEPS = 6; // from one landmark to the next

/** A line from the first point to the last; its ends are straight. */
export function curve(points: readonly Point[]): Point[] {
  const first = reflected(points[0]!, points[1]!);
  const last = reflected(points.at(-1)!, points.at(-2)!);
  return [...through([first, ...points, last]), points.at(-1)!];
}

/** A closed line. */
export function loop(points: readonly Point[]): Point[] {
  return through([points.at(-1)!, ...points, points[0]!, points[1]!]);
}

/** A closed line along two borders from corner to corner; the corners stay sharp. */
export function opening(upper: readonly Point[], lower: readonly Point[]): Point[] {
  return [...upper, ...lower.slice(1, -1).reverse()];
}

function reflected(end: Point, next: Point): Point {
  return [2 * end[0] - next[0], 2 * end[1] - next[1]];
}

/** From the second knot to the one before the last, without it. */
function through(knots: readonly Point[]): Point[] {
  const line: Point[] = [];
  for (let i = 0; i + 3 < knots.length; i++) {
    const [a, b, c, d] = [knots[i]!, knots[i + 1]!, knots[i + 2]!, knots[i + 3]!];
    for (let step = 0; step < STEPS; step++) {
      const t = step / STEPS;
      line.push([between(a[0], b[0], c[0], d[0], t), between(a[1], b[1], c[1], d[1], t)]);
    }
  }
  return line;
}

function between(a: number, b: number, c: number, d: number, t: number): number {
  const square = (2 * a - 5 * b + 4 * c - d) * t * t;
  const cube = (3 * b - a - 3 * c + d) * t * t * t;
  return 0.5 * (2 * b + (c - a) * t + square + cube);
}
