/** The contract of a runtime: crops in, numbers out. */

import { AmeshError } from './errors';
import type { ModelFile } from './models';

/** A network that is ready to run. */
export interface Network {
  /** Side of its square input [px]. */
  readonly size: number;
  /**
   * Runs it on one crop.
   *
   * @param image Rows of pixels of red, green, blue, from 0 to 1.
   * @returns Its outputs by name.
   */
  run(image: Float32Array): Promise<Record<string, Float32Array>>;
  close(): void;
}

/** What runs networks. */
export interface Runtime {
  /** For people: its name and what it runs on at present. */
  readonly name: string;
  /**
   * Prepares a network.
   *
   * @throws AmeshError The runtime cannot run it.
   */
  open(file: ModelFile): Promise<Network>;
}

/** Side of a network's square input [px], from an axis of its shape. */
export function inputSize({ url, sidecar }: ModelFile, axis: number): number {
  const size = sidecar.inputs?.image?.shape[axis];
  if (!size) throw new AmeshError('model', `${url} is no network for pictures`);
  return size;
}
