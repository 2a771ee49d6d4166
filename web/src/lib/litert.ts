/** LiteRT.js: runs TFLite files in WebAssembly, on one thread or several. */

import type { CompiledModel } from '@litertjs/core';
import { AmeshError, reason } from './errors';
import type { ModelFile } from './models';
import { inputSize, type Network, type Runtime } from './runtime';

/** LiteRT.js is loaded once a page. */
let loading: Promise<string> | undefined;

/**
 * Loads LiteRT.js.
 *
 * @param wasm Address of the folder with its WebAssembly files.
 * @throws AmeshError The browser lacks something, or the files are not there.
 */
export async function openLitert(wasm: string): Promise<Runtime> {
  loading ??= load(wasm);
  let name: string;
  try {
    name = await loading;
  } catch (error) {
    loading = undefined; // so that a second try is one
    throw error;
  }
  return { name, open };
}

async function load(wasm: string): Promise<string> {
  if (!hasSimd()) {
    throw new AmeshError('runtime', 'this browser has no SIMD in WebAssembly: use a newer one');
  }
  // Threads share memory, which browsers allow on isolated pages only.
  const threads = globalThis.crossOriginIsolated === true && navigator.hardwareConcurrency > 1;
  try {
    const { loadLiteRt, supportsFeature } = await import('@litertjs/core');
    const several =
      threads && (await supportsFeature('relaxedSimd')) && (await supportsFeature('threads'));
    await loadLiteRt(wasm.endsWith('/') ? wasm : `${wasm}/`, { threads: several });
    return `LiteRT.js (WASM, ${several ? 'several threads' : 'one thread'})`;
  } catch (error) {
    throw new AmeshError('runtime', `LiteRT.js does not start from ${wasm}: ${reason(error)}`);
  }
}

async function open(file: ModelFile): Promise<Network> {
  const { url, content } = file;
  const { loadAndCompile, Tensor } = await import('@litertjs/core');
  let model: CompiledModel;
  try {
    model = await loadAndCompile(content, { accelerator: 'wasm', ...cpuOptions() });
  } catch (error) {
    throw new AmeshError('model', `${url} does not run in LiteRT.js: ${reason(error)}`);
  }
  const size = inputSize(file, 1);
  const names = model.getOutputDetails().map(({ name }) => name);
  return {
    size,
    async run(image) {
      const input = new Tensor(image, [1, size, size, 3]);
      try {
        const outputs = await model.run([input]);
        const arrays = outputs.map((output) => {
          const values = (output.toTypedArray() as Float32Array).slice();
          output.delete();
          return values;
        });
        return inOrder(Object.fromEntries(names.map((name, i) => [name, arrays[i]!])), file);
      } finally {
        input.delete();
      }
    },
    close: () => model.delete(),
  };
}

/** Puts the landmarks in order where the file does not: LiteRT.js cannot on WebGPU. */
function inOrder(
  outputs: Record<string, Float32Array>,
  { sidecar: { places } }: ModelFile,
): Record<string, Float32Array> {
  const { numbers, ...others } = outputs;
  if (!places || !numbers) return outputs;
  return { landmarks: Float32Array.from(places, (place) => numbers[place]!), ...others };
}

function cpuOptions(): { cpuOptions?: { numThreads: number } } {
  if (globalThis.crossOriginIsolated !== true) return {};
  return { cpuOptions: { numThreads: Math.min(4, navigator.hardwareConcurrency) } };
}

/** Whether WebAssembly has SIMD: a module that uses one instruction of it is valid. */
function hasSimd(): boolean {
  return WebAssembly.validate(
    // (module (func (result v128) (i8x16.splat (i32.const 0))))
    // prettier-ignore
    new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
    ]),
  );
}
