import { describe, expect, it } from 'vitest';
import { FACE } from '../src/lib/effects/face-data';
import { headPose, sights } from '../src/lib/effects/pose';

/** The average face, turned and seen from far away: 2 px a millimetre. */
function turned(yaw: number, pitch: number, roll: number): number[] {
  const [a, b, c] = [yaw, pitch, roll].map((degrees) => (degrees * Math.PI) / 180) as [
    number,
    number,
    number,
  ];
  const landmarks: number[] = [];
  for (let i = 0; i < FACE.points.length; i += 3) {
    let [x, y, z] = [FACE.points[i]!, FACE.points[i + 1]!, FACE.points[i + 2]!];
    [x, y] = [x * Math.cos(c) - y * Math.sin(c), x * Math.sin(c) + y * Math.cos(c)];
    [y, z] = [y * Math.cos(b) - z * Math.sin(b), y * Math.sin(b) + z * Math.cos(b)]; // the nose, at -z, goes down
    [x, z] = [x * Math.cos(a) - z * Math.sin(a), x * Math.sin(a) + z * Math.cos(a)]; // and to the right
    landmarks.push(300 + 2 * x, 200 + 2 * y, 2 * z);
  }
  return landmarks;
}

describe('pose', () => {
  it.each([
    [0, 0, 0],
    [30, 0, 0],
    [0, -20, 0],
    [0, 0, 25],
    [-40, 15, 160],
  ])('finds yaw %d, pitch %d, roll %d again', (yaw, pitch, roll) => {
    const pose = headPose(turned(yaw, pitch, roll));
    expect(pose.yaw).toBeCloseTo(yaw, 4);
    expect(pose.pitch).toBeCloseTo(pitch, 4);
    expect(pose.roll).toBeCloseTo(roll, 4);
    expect(pose.scale).toBeCloseTo(2, 6);
  });

  it('places points of the head where the landmarks are', () => {
    const landmarks = turned(20, 10, -5);
    const [x, y] = headPose(landmarks).place([
      FACE.points[12]!,
      FACE.points[13]!,
      FACE.points[14]!,
    ]);
    expect(x).toBeCloseTo(landmarks[12]!, 4);
    expect(y).toBeCloseTo(landmarks[13]!, 4);
  });
});

describe('gaze', () => {
  it('follows the irises, and closed eyes have none', () => {
    const landmarks = turned(0, 0, 0);
    const straight = sights(landmarks, headPose(landmarks));
    for (const eye of FACE.eyes) for (const row of eye.iris) landmarks[3 * row]! += 8; // 4 mm
    const right = sights(landmarks, headPose(landmarks));
    expect(straight).toHaveLength(2);
    expect(right[0]!.direction[0] - straight[0]!.direction[0]).toBeGreaterThan(0.25);
    for (const eye of FACE.eyes) {
      eye.upper.forEach((row, i) => (landmarks[3 * row + 1] = landmarks[3 * eye.lower[i]! + 1]!));
    }
    expect(sights(landmarks, headPose(landmarks))).toHaveLength(0);
  });
});
