/** What LiteRT.js says and does when it fails, with a fake of it: `@litertjs/core` is replaced. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openFastest, openLitert } from '../src/lib/litert';
import type { ModelFile } from '../src/lib/models';
import { PATIENCE } from '../src/lib/trial';

const litert = vi.hoisted(() => ({
  device: null as unknown,
  loadLiteRt: vi.fn(),
  supportsFeature: () => Promise.resolve(false),
  getWebGpuDevice: () => litert.device,
  loadAndCompile: vi.fn(),
  Tensor: class {
    delete(): void {}
  },
}));
vi.mock('@litertjs/core', () => litert);

const file: ModelFile = {
  url: '/models/landmarks.tflite',
  content: new Uint8Array(),
  sidecar: {
    sha256: '',
    bytes: 0,
    topology: 'face478',
    inputs: { image: { shape: [1, 2, 2, 3] } },
    places: [2, 0, 1],
  },
};
const image = new Float32Array(12);
/** What a compiled network does by default: it answers three numbers. */
const run = (): Promise<unknown[]> =>
  Promise.resolve([{ data: () => Promise.resolve(Float32Array.of(5, 6, 7)), delete: () => {} }]);
const compiled = (changes: object = {}): object => ({
  isFullyAccelerated: true,
  getOutputDetails: () => [{ name: 'numbers' }],
  run: vi.fn(run),
  delete: vi.fn(),
  ...changes,
});
let lose: (info: { message: string }) => void;

beforeEach(() => {
  vi.resetModules();
  const lost = new Promise((resolve) => (lose = resolve));
  litert.device = { lost, adapterInfo: { isFallbackAdapter: false } };
  litert.loadAndCompile.mockImplementation(() => Promise.resolve(compiled()));
});
afterEach(() => vi.resetAllMocks());

/** LiteRT.js is loaded once a page, so each test has a page of its own. */
async function fresh(): Promise<{
  openFastest: typeof openFastest;
  openLitert: typeof openLitert;
}> {
  return import('../src/lib/litert');
}

it('puts the landmarks in order, where the file leaves that to the host', async () => {
  const network = await (await (await fresh()).openLitert('/wasm/')).open(file);
  expect(await network.run(image)).toEqual({ landmarks: Float32Array.of(7, 5, 6) });
});

it('says in one line that LiteRT.js failed', async () => {
  litert.loadAndCompile.mockResolvedValue(
    compiled({ run: () => Promise.reject(new Error('no memory\n at tensor.cc:7')) }),
  );
  const network = await (await (await fresh()).openLitert('/wasm/')).open(file);
  await expect(network.run(image)).rejects.toMatchObject({
    name: 'AmeshError',
    code: 'runtime',
    message: 'LiteRT.js cannot run /models/landmarks.tflite: no memory',
  });
});

it.each([
  ['has no WebGPU', null, 'LiteRT.js (WASM, one thread; this browser has no WebGPU)'],
  [
    'has a GPU in software only',
    { lost: new Promise(() => {}), adapterInfo: { isFallbackAdapter: true } },
    'LiteRT.js (WASM, one thread; WebGPU has no GPU here)',
  ],
])('says why it stays on the CPU, if the browser %s', async (_, device, name) => {
  litert.device = device;
  const runtime = await (await fresh()).openFastest('/wasm/');
  await runtime.open(file);
  expect(runtime.name).toBe(name);
  expect(litert.loadAndCompile).toHaveBeenCalledTimes(1);
});

it('says that WebGPU refuses a network, and runs it on the CPU', async () => {
  litert.loadAndCompile.mockImplementation((_, { accelerator }: { accelerator: string }) =>
    Promise.resolve(compiled({ isFullyAccelerated: accelerator === 'wasm' })),
  );
  const runtime = await (await fresh()).openFastest('/wasm/');
  const network = await runtime.open(file);
  for (let i = 0; i < PATIENCE + 1; i++) await network.run(image);
  await vi.waitFor(() =>
    expect(runtime.name).toContain(
      'on WebGPU (was it exported with --web?): only a part of it does)',
    ),
  );
  expect(await network.run(image)).toHaveProperty('landmarks');
});

it('goes on with the CPU when the GPU is lost, even if it never answers', async () => {
  let silent = false;
  litert.loadAndCompile.mockImplementation((_, { accelerator }: { accelerator: string }) =>
    Promise.resolve(
      accelerator === 'wasm'
        ? compiled({
            run: async () => {
              await new Promise((resolve) => setTimeout(resolve, 2));
              return run();
            },
          })
        : compiled({ run: () => (silent ? new Promise(() => {}) : run()) }),
    ),
  );
  const runtime = await (await fresh()).openFastest('/wasm/');
  const network = await runtime.open(file);
  for (let i = 0; i < PATIENCE + 9; i++) await network.run(image); // more than a trial takes
  expect(runtime.name).toBe('LiteRT.js (WebGPU)');
  silent = true;
  const waiting = network.run(image);
  lose({ message: 'unplugged' });
  expect(await waiting).toEqual({ landmarks: Float32Array.of(7, 5, 6) });
  const reason = 'WebGPU failed: the GPU stopped working: unplugged';
  expect(runtime.name).toBe(`LiteRT.js (WASM, one thread; ${reason})`);
  // Another tracker of this page does not try it again.
  const second = await (await import('../src/lib/litert')).openFastest('/wasm/');
  await second.open(file);
  expect(second.name).toContain('the GPU stopped working: unplugged');
});
