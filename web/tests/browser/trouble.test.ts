/** What the module says when something is wrong, and that it goes on where it can. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Browser, Page, Route } from 'playwright-core';
import type { ViteDevServer } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TrackerOptions } from '../../src/lib/index';
import { launch, openModule, serve } from './browser';

let server: ViteDevServer & { url: string };
let browser: Browser;
let page: Page;

beforeAll(async () => {
  server = await serve();
  browser = await launch();
});
afterEach(() => page.context().close());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const model = (file: string): Buffer =>
  readFileSync(new URL(`../../public/models/${file}`, import.meta.url));

/** The code and the message of what `create` throws. */
function problem(options: Partial<TrackerOptions> = {}): Promise<[string, string]> {
  return page.evaluate(async (options): Promise<[string, string]> => {
    try {
      await amesh.FaceTracker.create({ models: '/models/', ...options });
      return ['none', ''];
    } catch (error) {
      if (!(error instanceof amesh.AmeshError)) return ['no AmeshError', String(error)];
      return [error.code, error.message];
    }
  }, options);
}

describe('networks', () => {
  const damaged = Buffer.from(model('landmarks.tflite'));
  damaged[damaged.length >> 1]! ^= 1;
  const other = JSON.parse(model('landmarks.tflite.json').toString()) as object;
  const noise = Buffer.alloc(1000, 7);
  const ofNoise = {
    ...other,
    bytes: noise.length,
    sha256: createHash('sha256').update(noise).digest('hex'),
  };
  const fulfill =
    (response: Parameters<Route['fulfill']>[0]) =>
    (route: Route): Promise<void> =>
      route.fulfill(response);

  it.each([
    ['are missing', 'model', 'the server says 404', { '': fulfill({ status: 404 }) }],
    ['are cut short', 'model', 'cut short', { '': fulfill({ body: damaged.subarray(0, 5000) }) }],
    ['are damaged', 'model', 'damaged', { '': fulfill({ body: damaged }) }],
    ['do not come', 'network', 'cannot be loaded', { '': (route: Route) => route.abort() }],
    [
      'are no networks',
      'model',
      'does not run in LiteRT.js',
      { '': fulfill({ body: noise }), '.json': fulfill({ json: ofNoise }) },
    ],
    [
      'have other landmarks',
      'model',
      "landmarks of 'mine'",
      { '.json': fulfill({ json: { ...other, topology: 'mine' } }) },
    ],
    [
      'lie beside something else',
      'model',
      'not a file that `amesh export` wrote',
      { '.json': fulfill({ body: '<!doctype html>' }) },
    ],
    [
      'have a place that is no number',
      'model',
      'not a file that `amesh export` wrote',
      { '.json': fulfill({ json: { ...other, places: ['nose'] } }) },
    ],
  ])('that %s', async (_, code, message, routes) => {
    page = await openModule(browser, server);
    for (const [suffix, handler] of Object.entries(routes)) {
      await page.route(`**/landmarks.tflite${suffix}`, handler);
    }
    const [foundCode, found] = await problem();
    expect(found).toContain(message);
    expect(found).toContain('landmarks.tflite');
    expect(foundCode).toBe(code);
  });

  it('come from the store when they are asked for again, without a network', async () => {
    page = await openModule(browser, server);
    const load = (): Promise<number[]> =>
      page.evaluate(async () => {
        const shares: number[] = [];
        const onProgress = (done: number, total: number): void => void shares.push(done / total);
        (await amesh.FaceTracker.create({ models: '/models/', onProgress })).close();
        return shares;
      });
    const shares = await load();
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    await page.route('**/models/**', (route) => route.abort());
    expect((await load()).at(-1)).toBe(1);
  });
});

describe('networks of a new version', () => {
  it('that do not come leave those that are kept', async () => {
    page = await openModule(browser, server);
    expect(await problem()).toEqual(['none', '']);
    const next = JSON.parse(model('landmarks.tflite.json').toString()) as object;
    await page.route('**/landmarks.tflite.json', (route) =>
      route.fulfill({ json: { ...next, sha256: '0' } }),
    );
    await page.route('**/landmarks.tflite', (route) => route.abort());
    expect(await problem()).toEqual(['network', expect.stringContaining('cannot be loaded')]);
    await page.route('**/models/**', (route) => route.abort());
    expect(await problem()).toEqual(['none', '']);
  });
});

describe('browsers and options', () => {
  it('without SIMD', async () => {
    page = await openModule(browser, server, () => {
      WebAssembly.validate = () => false;
    });
    expect(await problem()).toEqual(['runtime', expect.stringContaining('no SIMD')]);
  });

  it('without the WebAssembly files', async () => {
    page = await openModule(browser, server);
    await page.route('**/wasm/*', (route) => route.fulfill({ status: 404 }));
    expect(await problem()).toEqual(['runtime', expect.stringContaining('does not start')]);
    await page.unroute('**/wasm/*');
    expect(await problem()).toEqual(['none', '']); // the second try is one
  });

  it('that do not exist', async () => {
    page = await openModule(browser, server);
    expect(await problem({ maxFaces: 0 })).toEqual(['option', expect.stringContaining('maxFaces')]);
    const smoothing = 'lots' as TrackerOptions['smoothing'];
    expect(await problem({ smoothing })).toEqual(['option', expect.stringContaining('mediapipe')]);
  });
});

describe('pictures', () => {
  it('without pixels, too large, with a part that is transparent; and after close', async () => {
    page = await openModule(browser, server);
    const found = await page.evaluate(async () => {
      const tracker = await amesh.FaceTracker.create({ models: '/models/' });
      const message = (error: unknown): string => (error as Error).message;
      const none = await tracker.detect(new Image()).catch(message);
      const image = new Image();
      image.src = '/astronaut.png';
      await image.decode();
      const small = await tracker.detect(image);
      const canvas = new OffscreenCanvas(4608, 4608); // above what every browser's canvas holds
      canvas.getContext('2d')!.drawImage(image, 0, 0, 4608, 4608);
      const large = await tracker.detect(canvas);
      tracker.close();
      const closed = await tracker.detect(image).catch(message);
      return { none, closed, small: [...small[0]!.landmarks], large: [...large[0]!.landmarks] };
    });
    expect(found.none).toContain('no pixels');
    expect(found.closed).toContain('closed');
    const apart = found.small.map((value, i) => Math.abs(found.large[i]! / 9 - value));
    expect(Math.max(...apart.filter((_, i) => i % 3 < 2))).toBeLessThan(1);
  });
});
