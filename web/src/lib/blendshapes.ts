/** How far a face makes each of the 52 expressions of ARKit, from its landmarks. */

import constants from './constants.json';
import { FACE } from './effects/face-data';
import { fit, turn } from './effects/rotation';
import { AmeshError } from './errors';
import type { Progress } from './models';
import { loadModels } from './models';
import { Safetensors } from './safetensors';

const FILE = 'blendshapes.safetensors';
const {
  leastRange: LEAST_RANGE, // of a calibrated value: a face at rest may be near the end of the scale
  leastBlink: LEAST_BLINK, // by which a value rises in a blink
  closed: CLOSED, // a value above which lids are closed
  openMouth: OPEN_MOUTH, // distance between the lips, relative to the mouth's width
} = constants.blendshapes;

interface Layer {
  /** Rows of weights, one for each input. */
  weight: Float32Array;
  bias: Float32Array;
}

/**
 * A small network over the landmarks of a face, and the face at rest as its zero.
 *
 * Values are those of Python's `amesh.Blendshapes`, whose documentation says how far to trust each.
 */
export class Blendshapes {
  readonly #layers: readonly Layer[];
  #rest: Float32Array;
  #full: Float32Array;

  private constructor(
    /** The names of the values, in order. */
    readonly names: readonly string[],
    layers: readonly Layer[],
  ) {
    this.#layers = layers;
    this.#rest = new Float32Array(names.length);
    this.#full = new Float32Array(names.length).fill(1);
  }

  /**
   * Loads the network.
   *
   * @param models Address of the folder that it lies in.
   * @throws AmeshError It is missing or damaged.
   */
  static async create(models: string, onProgress?: Progress): Promise<Blendshapes> {
    const [file] = await loadModels(models, [FILE], onProgress);
    return Blendshapes.from(file!.content);
  }

  /** Reads the network from a file's content. */
  static from(content: Uint8Array<ArrayBuffer>): Blendshapes {
    try {
      const { names, layers } = read(content);
      return new Blendshapes(names, layers);
    } catch {
      throw new AmeshError('model', 'the network of blendshapes is damaged: load it again');
    }
  }

  /**
   * The values of a face, from 0 to 1.
   *
   * @param landmarks Of a face (478 x 3) [px of the picture].
   */
  values(landmarks: ArrayLike<number>): Float32Array {
    return this.#uncalibrated(landmarks).map((value, i) => {
      const span = Math.max(this.#full[i]! - this.#rest[i]!, LEAST_RANGE);
      return Math.min(Math.max((value - this.#rest[i]!) / span, 0), 1);
    });
  }

  /**
   * Makes a face at rest the zero of all values; lids keep their whole range.
   *
   * @param frames Landmarks of one person at rest, looking at the camera with the mouth closed: a
   *   second of video, or a single frame. Blinks do no harm.
   * @throws AmeshError The mouth is open in most of the frames, or the eyes are closed.
   */
  calibrate(frames: readonly ArrayLike<number>[]): void {
    if (!frames.length) throw new AmeshError('option', 'calibration needs at least one frame');
    const gap = median(frames.map((face) => apart(face, 13, 14) / apart(face, 78, 308)));
    if (!(gap <= OPEN_MOUTH)) {
      throw new AmeshError('option', 'the mouth is open in calibration: close it and try again');
    }
    const values = frames.map((face) => this.#uncalibrated(face));
    const rest = Float32Array.from(this.names, (_, i) => median(values.map((one) => one[i]!)));
    const full = new Float32Array(this.names.length).fill(1);
    for (const name of ['eyeBlinkLeft', 'eyeBlinkRight']) {
      const i = this.names.indexOf(name);
      if (rest[i]! > CLOSED) {
        throw new AmeshError(
          'option',
          'the eyes are closed in calibration: open them and try again',
        );
      }
      const closed = Math.max(...values.map((one) => one[i]!));
      if (closed > rest[i]! + LEAST_BLINK) full[i] = closed;
    }
    [this.#rest, this.#full] = [rest, full];
  }

  #uncalibrated(landmarks: ArrayLike<number>): Float32Array {
    let x = features(landmarks);
    for (const [i, layer] of this.#layers.entries()) {
      x = mix(layer, x);
      const last = i === this.#layers.length - 1;
      x = x.map((value) => (last ? 1 / (1 + Math.exp(-value)) : Math.max(value, 0)));
    }
    const values = new Float32Array(this.names.length); // landmarks show no tongue: it stays 0
    values.set(x);
    return values;
  }
}

/**
 * How far landmarks are from those of the canonical face, x and y, seen from the front [mm]: the
 * face is turned, moved and scaled so that its rigid landmarks are as near as possible.
 */
function features(landmarks: ArrayLike<number>): Float32Array {
  const { rotation, scale, from, to } = fit(landmarks, FACE.points, FACE.rigid);
  const count = FACE.points.length / 3;
  const away = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const [x, y, z] = [0, 1, 2].map((axis) => landmarks[3 * i + axis]! - from[axis]!) as [
      number,
      number,
      number,
    ];
    const turned = turn(rotation, x, y, z);
    for (const axis of [0, 1] as const) {
      away[2 * i + axis] = scale * turned[axis] + to[axis]! - FACE.points[3 * i + axis]!;
    }
  }
  return away;
}

function mix({ weight, bias }: Layer, x: Float32Array): Float32Array {
  const sums = bias.slice();
  for (let i = 0, at = 0; i < x.length; i++) {
    for (let o = 0; o < sums.length; o++) sums[o]! += x[i]! * weight[at++]!;
  }
  return sums;
}

function apart(face: ArrayLike<number>, one: number, other: number): number {
  const along = (axis: number): number => face[3 * one + axis]! - face[3 * other + axis]!;
  return Math.hypot(along(0), along(1));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function read(content: Uint8Array<ArrayBuffer>): { names: string[]; layers: Layer[] } {
  const file = new Safetensors(content);
  const layers: Layer[] = [];
  while (file.has(`weight_${layers.length}`)) {
    const i = layers.length;
    layers.push({ weight: file.array(`weight_${i}`), bias: file.array(`bias_${i}`) });
  }
  if (!layers.length) throw new Error('no layers');
  return { names: JSON.parse(file.metadata['names']!) as string[], layers };
}
