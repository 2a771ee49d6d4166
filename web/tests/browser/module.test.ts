import type { Browser, Page } from 'playwright-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asRegion, reference } from '../reference';
import { launch, openModule, serve } from './browser';

let server: ViteDevServer & { url: string };
let browser: Browser;
let page: Page;

beforeAll(async () => {
  server = await serve();
  browser = await launch();
  page = await openModule(browser, server);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

describe('cutting', () => {
  it('takes the pixels that Python takes, within a grey level', async () => {
    for (const { name, size = 256, roi, crop_pixels } of [
      ...reference.crops,
      ...reference.more_crops,
    ]) {
      const samples = size === 256 ? 1 : 2; // the large crops are sampled once in the reference
      const found = await page.evaluate(
        ([place, size, samples, pixels]) => {
          const canvas = new OffscreenCanvas(640, 480);
          const context = canvas.getContext('2d')!;
          const image = context.createImageData(640, 480);
          for (let y = 0; y < 480; y++) {
            for (let x = 0; x < 640; x++) {
              image.data.set([x % 256, y % 256, (x + y) % 256, 255], 4 * (640 * y + x));
            }
          }
          context.putImageData(image, 0, 0);
          const affine = region.imageFromCrop(place, size);
          const crop = new picture.Picture(canvas).cut(
            affine,
            size,
            samples,
            new picture.CropScratch(),
          );
          return pixels.map(({ column, row }) => {
            const at = 3 * (size * row + column);
            return [...crop.subarray(at, at + 3)].map((value) => value * 255);
          });
        },
        [asRegion(roi), size, samples as 1 | 2, crop_pixels] as const,
      );
      for (const [i, { rgb, ...where }] of crop_pixels.entries()) {
        const apart = rgb.map((value, c) => Math.abs(found[i]![c]! - value));
        expect(Math.max(...apart), `${name} at ${JSON.stringify(where)}: ${found[i]}`).toBeLessThan(
          1,
        );
      }
    }
  });
});

describe('FaceTracker on the portrait', () => {
  it('finds the landmarks that Python finds, within half a pixel', async () => {
    const face = await page.evaluate(async () => {
      const image = new Image();
      image.src = '/astronaut.png';
      await image.decode();
      const canvas = new OffscreenCanvas(512, 384);
      canvas.getContext('2d')!.drawImage(image, 0, 0);
      const tracker = await amesh.FaceTracker.create({ models: '/models/' });
      const [face] = await tracker.detect(canvas);
      return {
        ...face!,
        landmarks: [...face!.landmarks],
        runtime: tracker.runtime,
        timings: tracker.timings,
      };
    });
    console.log(face.runtime, face.timings, face.roi);
    const region = asRegion(reference.detectors.short.roi);
    expect(Math.hypot(face.roi.cx - region.cx, face.roi.cy - region.cy)).toBeLessThan(1);
    expect(Math.abs(face.roi.size - region.size)).toBeLessThan(1.5); // its box is within a pixel
    expect(face.score).toBeCloseTo(reference.landmarks.score, 3);
    const apart = reference.landmarks.all.map(([x, y], i) =>
      Math.hypot(face.landmarks[3 * i]! - x, face.landmarks[3 * i + 1]! - y),
    );
    console.log('landmarks', Math.max(...apart));
    expect(Math.max(...apart)).toBeLessThan(0.5);
  });
});
