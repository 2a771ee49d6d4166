/** The GPU's trial, with networks that answer one number and a clock that they move. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Network } from '../src/lib/runtime';
import { onTrial, PATIENCE } from '../src/lib/trial';

const FRAMES = PATIENCE + 12; // more than a trial takes
let clock = 0;
let decisions: (string | undefined)[];
const decided = (problem?: string): void => void decisions.push(problem);

beforeEach(() => {
  decisions = [];
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => vi.restoreAllMocks());

/** Answers `value`, after some milliseconds; fails from the given run on. */
function fake(value: number, milliseconds: number, failsFrom = Infinity): Fake {
  const network = {
    size: 2,
    milliseconds,
    runs: 0,
    closed: 0,
    async run() {
      clock += network.milliseconds;
      if (++network.runs >= failsFrom) throw new Error('out of memory');
      await new Promise((resolve) => setTimeout(resolve));
      return { landmarks: Float32Array.of(1, 2, value) };
    },
    close: () => void network.closed++,
  };
  return network;
}
type Fake = Network & { milliseconds: number; runs: number; closed: number };

function opening(network: Network): () => Promise<Network> {
  return () => Promise.resolve(network);
}

/** What frames of a video get, one after the other. */
async function answers(network: Network): Promise<number[]> {
  const found = [];
  for (let i = 0; i < FRAMES; i++) {
    found.push((await network.run(new Float32Array(12)))['landmarks']![2]!);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return found;
}

it('goes on with the GPU that is faster and right', async () => {
  const [cpu, gpu] = [fake(3, 20), fake(3.25, 5)];
  const found = await answers(onTrial(cpu, opening(gpu), decided));
  expect(decisions).toEqual([undefined]);
  expect(found[0]).toBe(3);
  expect(found.at(-1)).toBe(3.25);
  expect(cpu.runs).toBeLessThan(FRAMES); // it rests
});

it('compares how long the same frames take, not those before', async () => {
  const [cpu, gpu] = [fake(3, 4), fake(3.25, 10)];
  const network = onTrial(cpu, opening(gpu), decided);
  for (let i = 1; i < PATIENCE; i++) await network.run(new Float32Array(12));
  cpu.milliseconds = 20; // a phone that has become warm
  await answers(network);
  expect(decisions).toEqual([undefined]);
});

it.each([
  ['slower', fake(3, 21), 'WebGPU is slower here'],
  ['wrong', fake(3.75, 5), 'WebGPU computes other landmarks'],
  ['not a number', fake(NaN, 5), 'WebGPU computes other landmarks'],
  ['broken from the start', fake(3, 5, 1), 'WebGPU failed: out of memory'],
  ['broken in the trial', fake(3, 5, 3), 'WebGPU failed: out of memory'],
])('stays with the CPU where the GPU is %s', async (_, gpu, problem) => {
  const found = await answers(onTrial(fake(3, 20), opening(gpu), decided));
  expect(decisions).toEqual([problem]);
  expect(found).toEqual(Array(FRAMES).fill(3));
  expect(gpu.closed).toBe(1);
});

it('answers on the CPU in the very frame in which the GPU is lost, and from then on', async () => {
  const [cpu, gpu] = [fake(3, 20), fake(3.25, 5, 9)];
  const network = onTrial(cpu, opening(gpu), decided);
  const found = await answers(network);
  expect(found).toHaveLength(FRAMES);
  expect(found).toContain(3.25);
  expect(found.at(-1)).toBe(3);
  expect(decisions).toEqual([undefined, 'WebGPU failed: out of memory']);
  network.close();
  expect([cpu.closed, gpu.closed]).toEqual([1, 1]);
});

it('stays with the CPU where the GPU refuses the network', async () => {
  const refuse = (): Promise<Network> => Promise.reject(new Error('no such operator'));
  const found = await answers(onTrial(fake(3, 20), refuse, decided));
  expect(decisions).toEqual(['WebGPU failed: no such operator']);
  expect(found).toEqual(Array(FRAMES).fill(3));
});

it('asks for no GPU for a still picture', async () => {
  const open = vi.fn(opening(fake(3, 5)));
  const network = onTrial(fake(3, 20), open, decided);
  for (let i = 1; i < PATIENCE; i++) await network.run(new Float32Array(12));
  expect(open).not.toHaveBeenCalled();
});

it('closes a GPU that is ready too late', async () => {
  const gpu = fake(3, 5);
  let ready!: (network: Network) => void;
  const network = onTrial(fake(3, 20), () => new Promise((resolve) => (ready = resolve)), decided);
  for (let i = 0; i < PATIENCE; i++) await network.run(new Float32Array(12));
  network.close();
  ready(gpu);
  await new Promise((resolve) => setTimeout(resolve));
  expect(gpu.closed).toBe(1);
  expect(decisions).toEqual([]);
});

it('fails where the CPU fails', async () => {
  const network = onTrial(fake(3, 20, 1), opening(fake(3, 5)), decided);
  await expect(network.run(new Float32Array(12))).rejects.toThrow('out of memory');
});
