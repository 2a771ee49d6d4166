import { describe, expect, it } from 'vitest';
import { FACE } from '../src/lib/effects/face-data';
import { headPose } from '../src/lib/effects/pose';
import { HeadSurface } from '../src/page/puppet-head';

const POINTS = FACE.points.length / 3;

/** The surface of the average face, seen at 2 px a millimetre. */
function surface(): { head: HeadSurface; points: Float32Array } {
  const landmarks = Float32Array.from(FACE.points, (value, i) => 2 * value + [300, 200, 0][i % 3]!);
  const head = new HeadSurface();
  return { head, points: head.follow(landmarks, headPose(landmarks)) };
}

describe("the puppet's head", () => {
  it('is the face in millimetres, y up and z to the viewer', () => {
    const { points } = surface();
    for (let i = 0; i < 3 * POINTS; i++) {
      expect(points[i]).toBeCloseTo((i % 3 === 0 ? 1 : -1) * FACE.points[i]!, 2);
    }
  });

  it('turns its skull outwards everywhere', () => {
    const { head, points } = surface();
    const index = head.skin.index!.array;
    let skull = 0;
    for (let i = 0; i < index.length; i += 3) {
      const corners = [index[i]!, index[i + 1]!, index[i + 2]!];
      if (corners.every((corner) => corner < POINTS)) continue;
      skull++;
      const [a, b, c] = corners.map((at) => [...points.subarray(3 * at, 3 * at + 3)]) as [
        number[],
        number[],
        number[],
      ];
      const [u, v] = [b.map((value, k) => value - a[k]!), c.map((value, k) => value - a[k]!)];
      const normal = [1, 2, 0].map((k, n) => u[k]! * v[[2, 0, 1][n]!]! - u[[2, 0, 1][n]!]! * v[k]!);
      // From the middle of the skull, which lies behind and above the eyes.
      const out = a.map((value, k) => value - [0, 32, -22][k]!);
      const along = normal.reduce((sum, value, k) => sum + value * out[k]!, 0);
      if (Math.hypot(...normal) > 1e-3) expect(along).toBeGreaterThan(0);
    }
    expect(skull).toBeGreaterThan(1000);
  });

  it('has eyes and a mouth as surfaces of their own', () => {
    const { head } = surface();
    expect(head.eyes.index!.count).toBeGreaterThan(60);
    expect(head.mouth.index!.count).toBeGreaterThan(30);
  });
});
