/** A network on the GPU that has to prove itself beside the same network on the CPU. */

import { reason } from './errors';
import type { Network } from './runtime';

/** Runs on the CPU before the GPU is asked for: a still picture takes fewer, a video a second. */
export const PATIENCE = 30;
/** Runs on both, of which the fastest of each counts. */
const RUNS = 5;
/** How far a landmark may be from the CPU's along an axis [px of the crop]. */
const APART = 0.5;

/**
 * A network that runs on the CPU, and on the GPU as soon as that has proved right and faster.
 *
 * The CPU answers while the GPU is made ready. Then a few calls run on both. If the GPU fails, in the
 * trial or later, the CPU answers that call and all that follow.
 *
 * @param open Makes the network ready on the GPU.
 * @param decided Told why the CPU is used, or nothing when the GPU is; told again if that fails.
 */
export function onTrial(
  cpu: Network,
  open: () => Promise<Network>,
  decided: (problem?: string) => void,
): Network {
  let state: 'waiting' | 'starting' | 'trial' | 'gpu' | 'cpu' = 'waiting';
  let gpu: Network | undefined;
  let [runs, cpuTime, gpuTime] = [0, Infinity, Infinity];

  const stop = (): void => {
    state = 'cpu';
    gpu?.close();
    gpu = undefined;
  };
  const decide = (problem?: string): void => {
    if (state === 'cpu') return;
    if (problem) stop();
    else state = 'gpu';
    decided(problem);
  };
  const failed = (error: unknown): void => decide(`WebGPU failed: ${reason(error)}`);

  async function start(image: Float32Array): Promise<void> {
    state = 'starting';
    const opened = await open();
    if (state !== 'starting') return opened.close(); // closed meanwhile
    gpu = opened;
    await gpu.run(image); // the first run builds its programs
    if (state === 'starting') [state, runs, cpuTime] = ['trial', 0, Infinity]; // on the same frames
  }

  async function compare(image: Float32Array, expected: Outputs): Promise<void> {
    const begin = performance.now();
    const found = await gpu!.run(image);
    gpuTime = Math.min(gpuTime, performance.now() - begin);
    if (!agree(found, expected)) decide('WebGPU computes other landmarks');
    else if (++runs === RUNS) decide(gpuTime < cpuTime ? undefined : 'WebGPU is slower here');
  }

  return {
    size: cpu.size,
    async run(image) {
      if (state === 'gpu') {
        try {
          return await gpu!.run(image);
        } catch (error) {
          failed(error);
        }
      }
      const begin = performance.now();
      const outputs = await cpu.run(image);
      cpuTime = Math.min(cpuTime, performance.now() - begin);
      if (state === 'waiting' && ++runs === PATIENCE) start(image.slice()).catch(failed);
      else if (state === 'trial') await compare(image, outputs).catch(failed);
      return outputs;
    },
    close() {
      cpu.close();
      stop();
    },
  };
}

type Outputs = Record<string, Float32Array>;

/** Whether both say the same; numbers that are not finite never do. */
function agree(found: Outputs, expected: Outputs): boolean {
  return Object.entries(expected).every(([name, values]) =>
    values.every((value, i) => Math.abs(found[name]?.[i]! - value) <= APART),
  );
}
