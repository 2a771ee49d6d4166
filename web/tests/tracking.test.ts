import { describe, expect, it } from 'vitest';
import { fromLandmarks, type Region } from '../src/lib/region';
import type { Look } from '../src/lib/look';
import { repeats, Tracker, type Frame } from '../src/lib/tracking';
import { reference } from './reference';

/** Landmarks of the portrait, moved. */
function portrait(dx = 0, dy = 0): Float64Array {
  const points = reference.landmarks.all.flat();
  return Float64Array.from(points, (value, i) => value + [dx, dy, 0][i % 3]!);
}

/** A world of faces: networks see those whose centre lies in the region that they look at. */
class World implements Frame {
  width = 512;
  height = 384;
  detected = 0;
  looked = 0;
  constructor(public faces: Float64Array[] = []) {}

  detect(): Promise<Region[]> {
    this.detected++;
    return Promise.resolve(this.faces.map(fromLandmarks));
  }

  look(regions: readonly Region[]): Promise<Look[]> {
    this.looked += regions.length;
    return Promise.resolve(
      regions.map((region) => {
        const landmarks = this.faces.find((face) => {
          const own = fromLandmarks(face);
          return Math.hypot(own.cx - region.cx, own.cy - region.cy) < 0.4 * region.size;
        });
        return { region, landmarks: landmarks ?? portrait(), logit: landmarks ? 20 : -20 };
      }),
    );
  }
}

const SETTINGS = { maxFaces: 1, minScore: 0.5, detectEvery: 10, smoothing: null };

describe('a tracker', () => {
  it('detects once, then follows a face that moves', async () => {
    const [world, tracker] = [new World(), new Tracker(SETTINGS)];
    for (let frame = 0; frame < 8; frame++) {
      world.faces = [portrait(5 * frame, -2 * frame)];
      const [face] = await tracker.next(world, frame / 30);
      expect(face!.id).toBe(0);
      expect(face!.landmarks).toEqual(world.faces[0]);
    }
    expect(world.detected).toBe(1);
    expect(world.looked).toBe(2 + 7); // a new face is looked at twice, a followed one once
  });

  it('looks for another face in the frame in which one is lost, and gives it a new id', async () => {
    const [world, tracker] = [new World([portrait()]), new Tracker(SETTINGS)];
    await tracker.next(world, 0);
    world.faces = [portrait(250, 100)];
    const [face] = await tracker.next(world, 0.03);
    expect(face!.id).toBe(1);
    expect(world.detected).toBe(2);
  });

  it('rests between two detections while there is no face', async () => {
    const [world, tracker] = [new World(), new Tracker(SETTINGS)];
    for (let frame = 0; frame < 21; frame++) expect(await tracker.next(world, frame)).toEqual([]);
    expect(world.detected).toBe(3);
  });

  it('starts afresh after reset and with frames of another size', async () => {
    const [world, tracker] = [new World([portrait()]), new Tracker(SETTINGS)];
    await tracker.next(world, 0);
    tracker.reset();
    expect((await tracker.next(world, 1))[0]!.id).toBe(1);
    world.width = 640;
    expect((await tracker.next(world, 2))[0]!.id).toBe(2);
  });

  it('follows as many faces as it may, each once', async () => {
    const world = new World([portrait(-100), portrait(120), portrait(2)]);
    const tracker = new Tracker({ ...SETTINGS, maxFaces: 3 });
    expect((await tracker.next(world, 0)).map(({ id }) => id)).toEqual([0, 1, 2]);
    const two = new Tracker({ ...SETTINGS, maxFaces: 2 });
    expect(await two.next(world, 0)).toHaveLength(2);
  });

  it('drops a face that leaves the picture, and numbers that are none', async () => {
    const [world, tracker] = [new World([portrait()]), new Tracker(SETTINGS)];
    await tracker.next(world, 0);
    const look = world.look.bind(world);
    world.look = async (regions) =>
      (await look(regions)).map((one) => ({ ...one, landmarks: one.landmarks.map(() => NaN) }));
    expect(await tracker.next(world, 0.03)).toEqual([]);
  });
});

describe('repeats', () => {
  it('marks a face whose box lies in that of a more confident one', () => {
    const box = (l: number, t: number, r: number, b: number): number[] => [l, t, 0, r, b, 0];
    const faces = [box(0, 0, 9, 9), box(1, 1, 5, 5), box(8, 0, 12, 4)];
    expect(repeats(faces, [5, 7, 6])).toEqual([true, false, false]);
    expect(repeats([], [])).toEqual([]);
  });
});
