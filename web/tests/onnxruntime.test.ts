/** A GPU that is lost under ONNX Runtime Web, with a fake of `onnxruntime-web/webgpu`. */

import { afterEach, expect, it, vi } from 'vitest';
import type { ModelFile } from '../src/lib/models';
import type { openOnnxRuntime } from '../src/lib/onnxruntime';

const sessions = vi.hoisted(() => ({
  run: vi.fn(),
  create: vi.fn(),
  device: Promise.resolve({} as { lost: Promise<{ message: string }> }),
}));
vi.mock('onnxruntime-web/webgpu', () => ({
  env: { wasm: {}, webgpu: sessions },
  InferenceSession: { create: sessions.create },
  Tensor: class {},
}));

const file: ModelFile = {
  url: '/models/landmarks.onnx',
  content: new Uint8Array(),
  sidecar: { sha256: '', bytes: 0, inputs: { image: { shape: [1, 3, 2, 2] } } },
};
const image = new Float32Array(12);
afterEach(() => vi.unstubAllGlobals());

/** What is known of the GPU is known to the whole page, so each test has a page of its own. */
async function fresh(lost: Promise<{ message: string }>): Promise<typeof openOnnxRuntime> {
  vi.resetModules();
  vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.resolve({}) } });
  sessions.device = Promise.resolve({ lost });
  sessions.create.mockReset().mockResolvedValue({ run: sessions.run, release: () => {} });
  return (await import('../src/lib/onnxruntime')).openOnnxRuntime;
}

it('says that the GPU is lost, even if the news comes late; the next tracker runs on the CPU', async () => {
  let lose!: (info: { message: string }) => void;
  const open = await fresh(new Promise((resolve) => (lose = resolve)));
  const runtime = await open('/wasm/');
  expect(runtime.name).toBe('ONNX Runtime Web (WebGPU)');
  const network = await runtime.open(file);
  sessions.run.mockImplementation(() => {
    setTimeout(() => lose({ message: 'unplugged' }), 5);
    return Promise.reject(new Error('mapAsync failed'));
  });
  await expect(network.run(image)).rejects.toMatchObject({
    code: 'device-lost',
    message: 'the GPU stopped working (unplugged): a new FaceTracker runs on the CPU',
  });
  const next = await open('/wasm/');
  expect(next.name).toBe('ONNX Runtime Web (WASM, as the GPU stopped working: unplugged)');
  await next.open(file);
  expect(sessions.create.mock.lastCall![1]).toEqual({ executionProviders: ['wasm'] });
});

it('says in one line what else went wrong', async () => {
  const open = await fresh(new Promise(() => {}));
  const network = await (await open('/wasm/')).open(file);
  sessions.run.mockRejectedValue(new Error('no memory\n at session.cc:7'));
  await expect(network.run(image)).rejects.toMatchObject({
    code: 'runtime',
    message: 'ONNX Runtime Web cannot run /models/landmarks.onnx: no memory',
  });
});
