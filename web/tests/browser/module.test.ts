import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Amesh from '../../src/lib/index';
import type * as PictureModule from '../../src/lib/picture';
import type * as RegionModule from '../../src/lib/region';
import { launch, serve } from './browser';

declare global {
  var amesh: typeof Amesh;
  var picture: typeof PictureModule;
  var region: typeof RegionModule;
}

const reference = JSON.parse(
  readFileSync(new URL('../../../docs/pipeline/reference.json', import.meta.url), 'utf8'),
) as Reference;

interface Reference {
  crops: {
    name: string;
    roi: { centre: [number, number]; side: number; angle_radians: number };
    crop_pixels: { column: number; row: number; rgb: number[] }[];
  }[];
  detectors: { short: { roi: Reference['crops'][0]['roi'] } };
  landmarks: { score: number; landmarks: Record<string, [number, number, number]> };
}

let server: ViteDevServer & { url: string };
let browser: Browser;
let page: Page;

beforeAll(async () => {
  server = await serve();
  browser = await launch();
  page = await browser.newPage();
  await page.goto(`${server.url}tests/browser/module.html`);
  await page.waitForFunction(() => 'amesh' in window);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

describe('cutting', () => {
  it('takes the pixels that Python takes', async () => {
    for (const { roi, crop_pixels } of reference.crops) {
      const found = await page.evaluate(
        ([roi, pixels]) => {
          const canvas = new OffscreenCanvas(640, 480);
          const context = canvas.getContext('2d')!;
          const image = context.createImageData(640, 480);
          for (let y = 0; y < 480; y++) {
            for (let x = 0; x < 640; x++) {
              image.data.set([x % 256, y % 256, (x + y) % 256, 255], 4 * (640 * y + x));
            }
          }
          context.putImageData(image, 0, 0);
          const place = { cx: roi.centre[0], cy: roi.centre[1], size: roi.side, angle: roi.angle_radians };
          const affine = region.imageFromCrop(place, 256);
          const crop = new picture.Picture(canvas).cut(affine, 256, 1, new picture.CropScratch());
          return pixels.map(({ column, row }) => {
            const at = 3 * (256 * row + column);
            return [...crop.subarray(at, at + 3)].map((value) => value * 255);
          });
        },
        [roi, crop_pixels] as const,
      );
      for (const [i, { rgb }] of crop_pixels.entries()) {
        for (const c of [0, 1, 2]) expect(Math.abs(found[i]![c]! - rgb[c]!)).toBeLessThan(1);
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
      return { ...face!, landmarks: [...face!.landmarks], runtime: tracker.runtime, timings: tracker.timings };
    });
    console.log(face.runtime, face.timings, face.roi, reference.detectors.short.roi);
    const { roi } = reference.detectors.short;
    expect(Math.hypot(face.roi.cx - roi.centre[0], face.roi.cy - roi.centre[1])).toBeLessThan(1);
    expect(Math.abs(face.roi.size - roi.side)).toBeLessThan(1.5);
    expect(face.score).toBeCloseTo(reference.landmarks.score, 3);
    let most = 0;
    for (const [index, point] of Object.entries(reference.landmarks.landmarks)) {
      const at = 3 * Number(index);
      most = Math.max(most, Math.hypot(face.landmarks[at]! - point[0], face.landmarks[at + 1]! - point[1]));
    }
    console.log('landmarks', most);
    expect(most).toBeLessThan(0.5);
  });
});
