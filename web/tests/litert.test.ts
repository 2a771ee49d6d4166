/** What LiteRT.js says and does when it fails, with a fake of it: `@litertjs/core` is replaced. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
const { places: _, ...sidecar } = file.sidecar;
/** The same, with an export that puts the landmarks in order itself. */
const inItsOrder: ModelFile = { ...file, sidecar };
const image = new Float32Array(12);
/** What a compiled network does by default: it answers three numbers. */
const run = (): Promise<unknown[]> =>
  Promise.resolve([{ data: () => Promise.resolve(Float32Array.of(5, 6, 7)), delete: () => {} }]);
const compiled = (accelerator = 'wasm', changes: object = {}): object => ({
  options: { accelerator },
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
  litert.loadAndCompile.mockImplementation((_, { accelerator }: { accelerator: string }) =>
    Promise.resolve(compiled(accelerator)),
  );
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
    compiled('wasm', { run: () => Promise.reject(new Error('no memory\n at tensor.cc:7')) }),
  );
  const network = await (await (await fresh()).openLitert('/wasm/')).open(file);
  await expect(network.run(image)).rejects.toMatchObject({
    name: 'AmeshError',
    code: 'runtime',
    message: 'LiteRT.js cannot run /models/landmarks.tflite: no memory',
  });
});

it('keeps no answer, however long a video is', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const network = await (await (await fresh()).openLitert('/wasm/')).open(inItsOrder);
  const answer = new WeakRef((await network.run(image))['numbers']!);
  await network.run(image);
  await new Promise((resolve) => setTimeout(resolve));
  collect();
  expect(answer.deref()).toBeUndefined();
});

it('gives a network back only after it has answered', async () => {
  let finish!: () => void;
  const model = compiled('wasm', {
    run: () => new Promise<void>((resolve) => (finish = resolve)).then(run),
  }) as { delete: () => void };
  litert.loadAndCompile.mockResolvedValue(model);
  const network = await (await (await fresh()).openLitert('/wasm/')).open(file);
  const answer = network.run(image);
  network.close();
  await new Promise((resolve) => setTimeout(resolve));
  expect(model.delete).not.toHaveBeenCalled();
  finish();
  await answer;
  await vi.waitFor(() => expect(model.delete).toHaveBeenCalledTimes(1));
});

it('does not take a network on the CPU for one on the GPU', async () => {
  // What LiteRT.js gives where only a part of a network runs on WebGPU, in browsers without JSPI.
  litert.loadAndCompile.mockImplementation(() => Promise.resolve(compiled('wasm')));
  const { open } = await import('../src/lib/litert');
  await expect(open(file, 'webgpu')).rejects.toMatchObject({
    code: 'model',
    message: expect.stringContaining('only a part of it does') as string,
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
    Promise.resolve(compiled(accelerator, { isFullyAccelerated: accelerator === 'wasm' })),
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
        ? compiled('wasm', {
            run: async () => {
              await new Promise((resolve) => setTimeout(resolve, 2));
              return run();
            },
          })
        : compiled('webgpu', { run: () => (silent ? new Promise(() => {}) : run()) }),
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
