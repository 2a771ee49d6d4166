/** ONNX Runtime Web: runs ONNX files on the GPU by WebGPU, or else in WebAssembly. */

import type { InferenceSession } from 'onnxruntime-web/webgpu';
import { AmeshError, reason } from './errors';
import type { ModelFile } from './models';
import { inputSize, type Network, type Runtime } from './runtime';

/** Why the GPU is no longer there, if it was lost on this page: ONNX Runtime Web has no way back. */
let lost: string | undefined;

/**
 * Loads ONNX Runtime Web.
 *
 * @param wasm Address of the folder with its WebAssembly files.
 * @throws AmeshError The package or its files are not there.
 */
export async function openOnnxRuntime(wasm: string): Promise<Runtime> {
  const gpu = await hasGpu();
  try {
    const { env } = await import('onnxruntime-web/webgpu');
    env.wasm.wasmPaths = wasm;
    env.wasm.numThreads = globalThis.crossOriginIsolated ? 0 : 1; // 0: it decides
    env.logLevel = 'error';
  } catch (error) {
    throw new AmeshError('runtime', `ONNX Runtime Web does not start: ${reason(error)}`);
  }
  const why = lost ? `the GPU stopped working: ${lost}` : 'this browser has no WebGPU';
  const name = gpu ? 'WebGPU' : `WASM, as ${why}`;
  return { name: `ONNX Runtime Web (${name})`, open: (file) => open(file, gpu) };
}

/** Whether a GPU is there; browsers may have the interface without one. */
async function hasGpu(): Promise<boolean> {
  if (lost) return false;
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}

async function open(file: ModelFile, gpu: boolean): Promise<Network> {
  const { url, content } = file;
  const { env, InferenceSession, Tensor } = await import('onnxruntime-web/webgpu');
  let session: InferenceSession;
  try {
    const executionProviders = gpu ? ['webgpu', 'wasm'] : ['wasm'];
    session = await InferenceSession.create(content, { executionProviders });
  } catch (error) {
    throw new AmeshError('model', `${url} does not run in ONNX Runtime Web: ${reason(error)}`);
  }
  const loss = gpu && (await env.webgpu.device).lost;
  if (loss) void loss.then(({ message }) => (lost = message || 'no reason given'));
  const size = inputSize(file, 2);
  return {
    size,
    async run(image) {
      try {
        const input = new Tensor('float32', planes(image), [1, 3, size, size]);
        const outputs = await session.run({ image: input });
        const entries = Object.entries(outputs);
        return Object.fromEntries(entries.map(([name, { data }]) => [name, data as Float32Array]));
      } catch (error) {
        // The failure of what waits for a device may come before the news that it is lost.
        if (loss) await Promise.race([loss, new Promise((resolve) => setTimeout(resolve, 100))]);
        if (!(gpu && lost)) {
          throw new AmeshError('runtime', `ONNX Runtime Web cannot run ${url}: ${reason(error)}`);
        }
        const message = `the GPU stopped working (${lost}): a new FaceTracker runs on the CPU`;
        throw new AmeshError('device-lost', message);
      }
    },
    close: () => void session.release(),
  };
}

/** From pixels of red, green, blue to a plane of each. */
function planes(image: Float32Array): Float32Array {
  const count = image.length / 3;
  const values = new Float32Array(image.length);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) values[c * count + i] = image[3 * i + c]!;
  }
  return values;
}
