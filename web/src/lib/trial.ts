/** A network on the GPU that has to prove itself beside the same network on the CPU. */

import { reason } from './errors';
import type { Network } from './runtime';

/** Runs on both, of which the fastest of each count. */
const RUNS = 5;
/** How far a landmark may be from the CPU's along an axis [px of the crop]. */
const APART = 0.5;

/**
 * A network that runs on the CPU, and on the GPU as soon as that has proved right and faster.
 *
 * The GPU builds its programs while the CPU answers. Then a few calls run on both. If the GPU fails,
 * in the trial or later, the CPU answers that call and all that follow.
 *
 * @param decided Told once why the CPU is used, or nothing when the GPU is; told again if that fails.
 */
export function onTrial(cpu: Network, gpu: Network, decided: (problem?: string) => void): Network {
  let state: 'new' | 'starting' | 'trial' | 'gpu' | 'cpu' = 'new';
  let [runs, cpuTime, gpuTime] = [0, Infinity, Infinity];

  const decide = (problem?: string): void => {
    if (state === 'cpu') return;
    state = problem ? 'cpu' : 'gpu';
    if (problem) gpu.close();
    decided(problem);
  };
  const failed = (error: unknown): void => decide(`WebGPU failed: ${reason(error)}`);

  async function compare(image: Float32Array, expected: Outputs): Promise<void> {
    const start = performance.now();
    const found = await gpu.run(image);
    gpuTime = Math.min(gpuTime, performance.now() - start);
    if (!agree(found, expected)) decide('WebGPU computes other landmarks');
    else if (++runs === RUNS) decide(gpuTime < cpuTime ? undefined : 'WebGPU is slower here');
  }

  return {
    size: cpu.size,
    async run(image) {
      if (state === 'gpu') {
        try {
          return await gpu.run(image);
        } catch (error) {
          failed(error);
        }
      }
      if (state === 'new') {
        state = 'starting';
        gpu.run(image.slice()).then(() => {
          if (state === 'starting') state = 'trial';
        }, failed);
      }
      const start = performance.now();
      const outputs = await cpu.run(image);
      cpuTime = Math.min(cpuTime, performance.now() - start);
      if (state === 'trial') await compare(image, outputs).catch(failed);
      return outputs;
    },
    close() {
      cpu.close();
      if (state !== 'cpu') gpu.close();
      state = 'cpu';
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
