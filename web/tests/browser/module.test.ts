import type { Browser, Page } from 'playwright-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Face, RuntimeChoice } from '../../src/lib/index';
import { asRegion, reference } from '../reference';
import { launch, openModule, serve } from './browser';

/** Tests that take long on a GPU in software: AMESH_WEBGPU=1 npm run browser. */
const GPU = process.env['AMESH_WEBGPU'];
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

/** The face that the module finds in the portrait. */
async function portrait(page: Page, runtime: RuntimeChoice, turned = false): Promise<Found> {
  return page.evaluate(
    async ([runtime, turned]) => {
      const image = new Image();
      image.src = '/astronaut.png';
      await image.decode();
      const canvas = new OffscreenCanvas(512, 384);
      const context = canvas.getContext('2d')!;
      if (turned) context.setTransform(-1, 0, 0, -1, 512, 384);
      context.drawImage(image, 0, 0);
      const tracker = await amesh.FaceTracker.create({ models: '/models/', runtime });
      const [face] = await tracker.detect(canvas);
      return { ...face!, landmarks: [...face!.landmarks], runtime: tracker.runtime };
    },
    [runtime, turned] as const,
  );
}

interface Found extends Omit<Face, 'landmarks'> {
  landmarks: number[];
  runtime: string;
}

/** It is where Python finds it: its box within a pixel, its landmarks within half a pixel. */
function expectPortrait({ roi, score, landmarks }: Found): void {
  const region = asRegion(reference.detectors.short.roi);
  expect(Math.hypot(roi.cx - region.cx, roi.cy - region.cy)).toBeLessThan(1);
  expect(Math.abs(roi.size - region.size)).toBeLessThan(1.5);
  expect(score).toBeCloseTo(reference.landmarks.score, 3);
  const apart = reference.landmarks.all.map(([x, y], i) =>
    Math.hypot(landmarks[3 * i]! - x, landmarks[3 * i + 1]! - y),
  );
  expect(Math.max(...apart)).toBeLessThan(0.5);
}

describe('FaceTracker finds the landmarks that Python finds', () => {
  it('in LiteRT.js', async () => {
    const face = await portrait(page, 'auto');
    expect(face.runtime).toBe('LiteRT.js (WASM, one thread; this browser has no WebGPU)');
    expectPortrait(face);
    const { confidence } = face;
    expect(Object.values(confidence!).every((value) => value > 0.5 && value <= 1)).toBe(true);
  });

  it('upside down', async () => {
    const { landmarks } = await portrait(page, 'auto', true);
    const apart = reference.landmarks.all.map(([x, y], i) =>
      Math.hypot(512 - landmarks[3 * i]! - x, 384 - landmarks[3 * i + 1]! - y),
    );
    // Another square, so another look: single points are two pixels away, the face is where it was.
    expect(apart.sort((a, b) => a - b)[239]).toBeLessThan(1);
  });

  it('in LiteRT.js on several threads, where the page is isolated', async () => {
    const isolated = await serve({
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    const page = await openModule(browser, isolated);
    const face = await portrait(page, 'litert');
    expect(face.runtime).toBe('LiteRT.js (WASM, several threads)');
    expectPortrait(face);
    await isolated.close();
  });

  it('in ONNX Runtime Web, without a GPU', async () => {
    const face = await portrait(page, 'onnxruntime');
    expect(face.runtime).toBe('ONNX Runtime Web (WASM, as this browser has no WebGPU)');
    expectPortrait(face);
  });

  // SwiftShader is a GPU in software: a minute.
  it.runIf(GPU)('in ONNX Runtime Web by WebGPU', { timeout: 600_000 }, async () => {
    const gpu = await launch('--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader');
    const face = await portrait(await openModule(gpu, server), 'onnxruntime');
    expect(face.runtime).toBe('ONNX Runtime Web (WebGPU)');
    expectPortrait(face);
    await gpu.close();
  });

  it('in LiteRT.js by WebGPU, until the GPU is lost', async () => {
    const gpu = await launch('--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader');
    const page = await openModule(gpu, server);
    const name = 'LiteRT.js (WASM, one thread; WebGPU has no GPU here)'; // only one in software
    expect((await portrait(page, 'auto')).runtime).toBe(name);
    const { apart, error } = await page.evaluate(async () => {
      const [file] = await models.loadModels('/models/', ['landmarks.tflite']);
      const image = Float32Array.from({ length: 3 * 256 ** 2 }, (_, i) => Math.sin(i / 99) ** 2);
      const [cpu, gpu] = [await litert.open(file!, 'wasm'), await litert.open(file!, 'webgpu')];
      const [expected, found] = [await cpu.run(image), await gpu.run(image)];
      const apart = Object.entries(expected).map(([name, values]) =>
        values.reduce((most, v, i) => Math.max(most, Math.abs(v - found[name]![i]!)), 0),
      );
      core.getWebGpuDevice()!.destroy();
      const error = await gpu.run(image).then(String, ({ code }: { code: string }) => code);
      return { apart, error };
    });
    expect(apart).toHaveLength(3);
    expect(Math.max(...apart)).toBeLessThan(1e-3);
    expect(error).toBe('device-lost');
    await gpu.close();
  });

  // Twenty seconds; the trial's rules are tested without a browser.
  it.runIf(GPU)('in LiteRT.js while a GPU that proves slower is tried', async () => {
    const gpu = await launch('--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader');
    const page = await openModule(gpu, server, () => {
      // A GPU in software that does not say so.
      Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });
    });
    const { names, apart } = await page.evaluate(async () => {
      const image = new Image();
      image.src = '/astronaut.png';
      await image.decode();
      const tracker = await amesh.FaceTracker.create({ models: '/models/', smoothing: 'off' });
      const names = [tracker.runtime];
      let [first] = await tracker.track(image, 0);
      let apart = 0;
      for (let frame = 1; names.length === 1 && frame < 2000; frame++) {
        const [face] = await tracker.track(image, frame / 30);
        if (frame === 10) first = face; // its square has settled
        if (frame > 10) {
          const far = first!.landmarks.map((v, i) => Math.abs(v - face!.landmarks[i]!));
          apart = Math.max(apart, ...far);
        }
        if (tracker.runtime !== names[0]) names.push(tracker.runtime);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return { names, apart };
    });
    expect(names).toEqual([
      'LiteRT.js (WASM, one thread)',
      'LiteRT.js (WASM, one thread; WebGPU is slower here)',
    ]);
    expect(apart).toBeLessThan(0.5);
    await gpu.close();
  });
});
