import { describe, expect, it } from 'vitest';
import { lookAgain } from '../src/lib/again';
import type { Look } from '../src/lib/look';
import { fromLandmarks, type Region } from '../src/lib/region';
import { reference } from './reference';

const upright = Float64Array.from(reference.landmarks.all.flat());
const place = fromLandmarks(upright);
/** The portrait turned about the middle of its region. */
function turned(angle: number): Float64Array {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const points = upright.slice();
  for (let i = 0; i < points.length; i += 3) {
    const [x, y] = [upright[i]! - place.cx, upright[i + 1]! - place.cy];
    points[i] = place.cx + cos * x - sin * y;
    points[i + 1] = place.cy + sin * x + cos * y;
  }
  return points;
}

/** A network that is as sure as the region is straight, and sees upright faces in all others too. */
function network(landmarks: Float64Array): {
  look: (regions: readonly Region[]) => Promise<Look[]>;
  looked: () => number;
} {
  let count = 0;
  const own = fromLandmarks(landmarks).angle;
  const look = (regions: readonly Region[]): Promise<Look[]> => {
    count += regions.length;
    return Promise.resolve(
      regions.map((region) => {
        const straight = Math.cos(region.angle - own);
        const seen = straight > 0.5 ? landmarks : turned(region.angle - place.angle);
        return { region, landmarks: seen, logit: straight > 0.9 ? 25 : 10 * straight };
      }),
    );
  };
  return { look, looked: () => count };
}

const roll = (landmarks: Float64Array): number => fromLandmarks(landmarks).angle;

describe('looking again', () => {
  it('costs nothing where the first look leaves no doubt', async () => {
    const { look, looked } = network(upright);
    const first = await look([place]);
    expect(await lookAgain(first, look)).toEqual(first);
    expect(looked()).toBe(1);
  });

  it.each([180, 90, 270])('finds a face that is turned by %d degrees', async (degrees) => {
    const landmarks = turned((degrees * Math.PI) / 180);
    const { look, looked } = network(landmarks);
    const [found] = await lookAgain(await look([place]), look);
    expect(Math.cos(roll(found!.landmarks) - roll(landmarks))).toBeCloseTo(1);
    expect(found!.logit).toBe(25);
    expect(looked()).toBeLessThanOrEqual(6);
  });

  it('straightens a face that lies askew in its crop', async () => {
    const landmarks = turned(0.5);
    const { look } = network(landmarks);
    const [found] = await lookAgain(await look([{ ...place, angle: place.angle }]), look);
    expect(found!.region.angle).toBeCloseTo(roll(landmarks));
  });

  it('takes no face for one', async () => {
    const look = (regions: readonly Region[]): Promise<Look[]> =>
      Promise.resolve(regions.map((region) => ({ region, landmarks: upright, logit: -8 })));
    const [found] = await lookAgain(await look([place]), look);
    expect(found!.logit).toBe(-8);
  });
});
