/** The order of calls of a `FaceTracker`, without a browser: its networks and canvases do nothing. */

import { afterEach, expect, it, vi } from 'vitest';
import { DETECTOR_SIZE } from '../src/lib/detection';
import { AmeshError } from '../src/lib/errors';
import { FaceTracker } from '../src/lib/face-tracker';
import type { Network, Runtime } from '../src/lib/runtime';
import { Tracker } from '../src/lib/tracking';

afterEach(() => vi.restoreAllMocks());

it('forgets faces between two frames, not in the middle of one', async () => {
  const done: string[] = [];
  vi.stubGlobal('OffscreenCanvas', FakeCanvas);
  vi.spyOn(Tracker.prototype, 'reset').mockImplementation(() => void done.push('reset'));
  vi.spyOn(Tracker.prototype, 'next').mockImplementation(async () => {
    await new Promise((resolve) => setTimeout(resolve));
    done.push('frame');
    return [];
  });
  const network: Network = { size: DETECTOR_SIZE, run: () => Promise.resolve({}), close: () => {} };
  const tracker = make({ name: 'none', open: () => Promise.resolve(network) }, network);
  const source = new FakeCanvas() as unknown as OffscreenCanvas;
  const first = tracker.track(source, 0);
  tracker.reset();
  await Promise.all([first, tracker.track(source, 1)]);
  expect(done).toEqual(['frame', 'reset', 'frame']);
});

it('goes on after a frame in which the runtime failed', async () => {
  vi.stubGlobal('OffscreenCanvas', FakeCanvas);
  const run = vi
    .fn<Network['run']>()
    .mockRejectedValueOnce(new AmeshError('runtime', 'out of memory'))
    .mockResolvedValue({ boxes: new Float32Array(), scores: new Float32Array() });
  const network: Network = { size: DETECTOR_SIZE, run, close: () => {} };
  const tracker = make({ name: 'none', open: () => Promise.resolve(network) }, network);
  const source = new FakeCanvas() as unknown as OffscreenCanvas;
  const frames = [tracker.track(source, 0), tracker.detect(source)];
  await expect(frames[0]).rejects.toThrow('out of memory');
  expect(await frames[1]).toEqual([]); // it did not wait for the first for ever
});

class FakeCanvas {
  width = 64;
  height = 64;
  getContext(): object {
    const image = { data: new Uint8ClampedArray(4 * DETECTOR_SIZE ** 2) };
    return new Proxy({}, { get: () => () => image, set: () => true });
  }
}

/** A tracker whose networks need not be loaded. */
function make(runtime: Runtime, network: Network): FaceTracker {
  return Reflect.construct(FaceTracker, [
    runtime,
    network,
    network,
    { maxFaces: 1, minScore: 0.5, smoothing: 'off' },
  ]) as FaceTracker;
}
