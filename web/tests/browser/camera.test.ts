/** Follows a face through a camera, which plays a clip: the portrait, moved. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launch, openModule, serve } from './browser';

const FRAMES = 40;
const folder = mkdtempSync(join(tmpdir(), 'amesh-'));
const clip = join(folder, 'clip.mjpeg');
let server: ViteDevServer & { url: string };
let browser: Browser;

beforeAll(async () => {
  server = await serve();
  const maker = await launch();
  const page = await openModule(maker, server);
  const frames = await page.evaluate(async () => {
    const image = new Image();
    image.src = '/astronaut.png';
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [640, 480];
    const context = canvas.getContext('2d')!;
    return Array.from({ length: 60 }, (_, i) => {
      const turn = (2 * Math.PI * i) / 60;
      // A slow machine misses frames: from any to any other, the face moves by less than it may.
      context.drawImage(image, 64 + 15 * Math.sin(turn), 8 * Math.cos(turn) - 8);
      return canvas.toDataURL('image/jpeg', 0.95).split(',')[1]!;
    });
  });
  await maker.close();
  writeFileSync(clip, Buffer.concat(frames.map((frame) => Buffer.from(frame, 'base64'))));
  browser = await launch(
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${clip}`,
  );
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true });
});

it(`follows one face for ${FRAMES} frames, as near as a still look at the last`, async () => {
  const page = await openModule(browser, server);
  const found = await page.evaluate(async (frames) => {
    const video = document.createElement('video');
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    await video.play();
    const tracker = await amesh.FaceTracker.create({ models: '/models/', smoothing: 'off' });
    const ids: number[][] = [];
    const noses: number[] = [];
    let apart = 0;
    for (let i = 0; i < frames; i++) {
      const seen = await new Promise<number>((resolve) =>
        video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)),
      );
      const still = await createImageBitmap(video);
      const faces = await tracker.track(still, seen);
      ids.push(faces.map(({ id }) => id));
      noses.push(faces[0]?.landmarks[3] ?? NaN);
      if (i === frames - 1) {
        const [face] = await tracker.detect(still);
        const there = face!.landmarks.map((value, n) => Math.abs(value - faces[0]!.landmarks[n]!));
        apart = there.filter((_, n) => n % 3 < 2).sort((a, b) => a - b)[478]!;
      }
    }
    return { ids, noses, apart };
  }, FRAMES);
  expect(found.ids).toEqual(Array.from({ length: FRAMES }, () => [0]));
  expect(Math.max(...found.noses) - Math.min(...found.noses)).toBeGreaterThan(10); // it moved
  // The median: from the detector's square, single points are two pixels away.
  expect(found.apart).toBeLessThan(1);
});
