/** LiteRT.js: runs TFLite files in WebAssembly, on one thread or several, or on the GPU by WebGPU. */

import type { CompiledModel, Tensor } from '@litertjs/core';
import { AmeshError, reason } from './errors';
import type { ModelFile } from './models';
import { inputSize, type Network, type Runtime } from './runtime';
import { onTrial } from './trial';

/** What LiteRT.js runs on here. */
interface Loaded {
  threads: 'one thread' | 'several threads';
  /** Why the GPU cannot be used, if so. */
  noGpu?: string;
}

/** LiteRT.js is loaded once a page. */
let loading: Promise<Loaded> | undefined;

/**
 * Loads LiteRT.js, to run networks on the CPU.
 *
 * @param wasm Address of the folder with its WebAssembly files.
 * @throws AmeshError The browser lacks something, or the files are not there.
 */
export async function openLitert(wasm: string): Promise<Runtime> {
  const { threads } = await loadOnce(wasm);
  return { name: `LiteRT.js (WASM, ${threads})`, open: (file) => open(file, 'wasm') };
}

/**
 * Loads LiteRT.js, to run landmark networks on the GPU where it is faster.
 *
 * The name says what they run on, and if it is the CPU, why.
 *
 * @param wasm Address of the folder with its WebAssembly files.
 * @throws AmeshError As for `openLitert`.
 */
export async function openFastest(wasm: string): Promise<Runtime> {
  const loaded = await loadOnce(wasm);
  const onCpu = `LiteRT.js (WASM, ${loaded.threads}`;
  let why = loaded.noGpu ?? '';
  let onGpu = false;
  return {
    get name() {
      if (onGpu) return 'LiteRT.js (WebGPU)';
      return why ? `${onCpu}; ${why})` : `${onCpu})`;
    },
    async open(file) {
      const cpu = await open(file, 'wasm');
      // A detector runs once in many frames: not worth a GPU's programs.
      if (why || !file.sidecar.topology) return cpu;
      return onTrial(
        cpu,
        () => open(file, 'webgpu'),
        (problem) => {
          onGpu = !problem;
          why = problem ?? '';
        },
      );
    },
  };
}

async function loadOnce(wasm: string): Promise<Loaded> {
  loading ??= load(wasm);
  try {
    return await loading;
  } catch (error) {
    loading = undefined; // so that a second try is one
    throw error;
  }
}

async function load(wasm: string): Promise<Loaded> {
  if (!hasSimd()) {
    throw new AmeshError('runtime', 'this browser has no SIMD in WebAssembly: use a newer one');
  }
  // Threads share memory, which browsers allow on isolated pages only.
  const threads = globalThis.crossOriginIsolated === true && navigator.hardwareConcurrency > 1;
  try {
    const { getWebGpuDevice, loadLiteRt, supportsFeature } = await import('@litertjs/core');
    const several =
      threads && (await supportsFeature('relaxedSimd')) && (await supportsFeature('threads'));
    await loadLiteRt(wasm.endsWith('/') ? wasm : `${wasm}/`, { threads: several });
    const loaded: Loaded = { threads: several ? 'several threads' : 'one thread' };
    const device = getWebGpuDevice();
    if (!device) loaded.noGpu = 'this browser has no WebGPU';
    else if (device.adapterInfo?.isFallbackAdapter) loaded.noGpu = 'WebGPU has no GPU here';
    void device?.lost.then(({ message }) => {
      loaded.noGpu = `the GPU stopped working: ${message || 'no reason given'}`;
    });
    return loaded;
  } catch (error) {
    throw new AmeshError('runtime', `LiteRT.js does not start from ${wasm}: ${reason(error)}`);
  }
}

/**
 * Prepares a network.
 *
 * @throws AmeshError LiteRT.js cannot run it, or not as a whole on the GPU.
 */
export async function open(file: ModelFile, accelerator: 'wasm' | 'webgpu'): Promise<Network> {
  const { url, content } = file;
  const { getWebGpuDevice, loadAndCompile, Tensor } = await import('@litertjs/core');
  let model: CompiledModel;
  try {
    model = await loadAndCompile(content, {
      accelerator,
      gpuOptions: { precision: 'fp32' }, // coordinates need it
      cpuOptions: { numThreads: await threadCount() },
    });
  } catch (error) {
    throw refusal(file, accelerator, reason(error));
  }
  // Some browsers get a network for the CPU instead of one that is only partly on the GPU.
  const whole = model.isFullyAccelerated && model.options.accelerator === accelerator;
  if (accelerator === 'webgpu' && !whole) {
    model.delete();
    throw refusal(file, accelerator, 'only a part of it does');
  }
  /** Ends the run under way: a GPU that stopped working may never answer it. */
  let giveUp = (_: AmeshError): void => undefined;
  let lost: AmeshError | undefined;
  if (accelerator === 'webgpu') {
    void getWebGpuDevice()!.lost.then(({ message }) => {
      const why = `the GPU stopped working: ${message || 'no reason given'}`;
      giveUp((lost = new AmeshError('device-lost', why)));
    });
  }
  const size = inputSize(file, 1);
  const names = model.getOutputDetails().map(({ name }) => name);
  let running: Promise<unknown> = Promise.resolve();

  async function run(image: Float32Array): Promise<Record<string, Float32Array>> {
    if (lost) throw lost;
    const input = new Tensor(image, [1, size, size, 3]);
    try {
      // Not `Promise.race` with a promise of the loss: that would keep every answer until then.
      const arrays = await new Promise<Float32Array[]>((resolve, reject) => {
        giveUp = reject;
        model
          .run([input])
          .then((outputs) => Promise.all(outputs.map(valuesOf)))
          .then(resolve, reject);
      });
      return inOrder(Object.fromEntries(names.map((name, i) => [name, arrays[i]!])), file);
    } catch (error) {
      if (error instanceof AmeshError) throw error;
      throw new AmeshError('runtime', `LiteRT.js cannot run ${url}: ${reason(error)}`);
    } finally {
      input.delete();
    }
  }

  return {
    size,
    run(image) {
      const answer = run(image);
      running = answer.catch(() => undefined);
      return answer;
    },
    close: () => void running.then(() => model.delete()), // under a run, it would be in use
  };
}

function refusal({ url }: ModelFile, accelerator: string, why: string): AmeshError {
  const where = accelerator === 'webgpu' ? ' on WebGPU (was it exported with --web?)' : '';
  return new AmeshError('model', `${url} does not run in LiteRT.js${where}: ${why}`);
}

async function valuesOf(output: Tensor): Promise<Float32Array> {
  const values = ((await output.data()) as Float32Array).slice();
  output.delete();
  return values;
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

/** Threads of a network on the CPU: more than one in the build of LiteRT.js that has them. */
async function threadCount(): Promise<number> {
  const several = (await loading)?.threads === 'several threads';
  return several ? Math.min(4, navigator.hardwareConcurrency) : 1;
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
