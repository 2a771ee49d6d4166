/** The order of calls of a `FaceTracker`, without a browser: its networks and canvases do nothing. */

import { afterEach, expect, it, vi } from 'vitest';
import { DETECTOR_SIZE } from '../src/lib/detection';
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

class FakeCanvas {
  width = 64;
  height = 64;
  getContext(): object {
    return { fillRect: () => undefined, drawImage: () => undefined };
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
