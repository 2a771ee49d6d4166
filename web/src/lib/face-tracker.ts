/** Faces and their landmarks in pictures and video. */

import { lookAgain } from './again';
import { confidence } from './confidence';
import constants from './constants.json';
import { DETECTOR_SIZE, detections, letterbox, regionOf } from './detection';
import { AmeshError } from './errors';
import { openFastest, openLitert } from './litert';
import type { Look } from './look';
import { scoreOf } from './look';
import type { Progress } from './models';
import { loadModels } from './models';
import type { Smoothing } from './one-euro';
import { PRESETS } from './one-euro';
import { openOnnxRuntime } from './onnxruntime';
import { CropScratch, Picture, Scratch } from './picture';
import type { Region } from './region';
import { imageFromCrop } from './region';
import type { Network, Runtime } from './runtime';
import { TOPOLOGY } from './topology';
import type { Frame } from './tracking';
import { repeats, Tracker } from './tracking';

/** A face. */
export interface Face {
  /** Its number in the picture; in a video, the same as long as it is followed. */
  id: number;
  /** x, y and z of each landmark (478 x 3) [px of the picture]; smaller z is nearer. */
  landmarks: Float32Array;
  /** Confidence that there is a face, from 0 to 1. */
  score: number;
  /** Probability that each landmark is near its true place, if the network tells. */
  confidence?: Float32Array;
  /** The square that the network looked at. */
  roi: Region;
}

/** Names of what runs networks. */
export type RuntimeChoice = 'auto' | 'litert' | 'onnxruntime';
const RUNTIMES = { auto: openFastest, litert: openLitert, onnxruntime: openOnnxRuntime };

/** How a `FaceTracker` works. */
export interface TrackerOptions {
  /** Address of the folder with the networks: `detector`, `landmarks` and their `.json`. */
  models: string;
  /** Address of the folder with the runtime's WebAssembly files; `wasm/` beside the models. */
  wasm?: string;
  /**
   * What runs the networks. `auto` is LiteRT.js: on the GPU by WebGPU as soon as that has proved
   * faster in a video, and on the CPU otherwise; `litert` stays on the CPU. `onnxruntime` is ONNX
   * Runtime Web, on the GPU where the browser has WebGPU; it needs the package `onnxruntime-web`,
   * and the networks as `.onnx`.
   */
  runtime?: RuntimeChoice;
  /** How many faces are followed at once, and returned for a picture at most; 1. */
  maxFaces?: number;
  /** Faces below this confidence are dropped; 0.5. */
  minScore?: number;
  /** How landmarks are smoothed over time; `mediapipe`. */
  smoothing?: Smoothing;
  /** Told how many bytes of the networks are there. */
  onProgress?: Progress;
}

/** Time that the last call took, in milliseconds: in all, and by part. */
export interface Timings {
  detect: number;
  crop: number;
  network: number;
  total: number;
}

const DEFAULTS = constants.tracker;

/** Finds faces in pictures, and follows them through video. */
export class FaceTracker {
  readonly #runtime: Runtime;
  readonly #detector: Network;
  readonly #landmarks: Network;
  readonly #tracker: Tracker;
  readonly #frame = new Scratch();
  readonly #scratch = new CropScratch();
  #timings: Timings = { detect: 0, crop: 0, network: 0, total: 0 };
  /** Calls take turns: networks and canvases serve one picture at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    runtime: Runtime,
    detector: Network,
    landmarks: Network,
    private readonly options: Required<Pick<TrackerOptions, 'maxFaces' | 'minScore' | 'smoothing'>>,
  ) {
    this.#runtime = runtime;
    this.#detector = detector;
    this.#landmarks = landmarks;
    const { maxFaces, minScore, smoothing } = options;
    this.#tracker = new Tracker({
      maxFaces,
      minScore,
      detectEvery: DEFAULTS.detectEvery,
      smoothing: PRESETS[smoothing],
    });
  }

  /**
   * Loads the networks and what runs them.
   *
   * @throws AmeshError An option is wrong, a file is missing or damaged, or the browser lacks
   *   something.
   */
  static async create(options: TrackerOptions): Promise<FaceTracker> {
    const { maxFaces = DEFAULTS.maxFaces, minScore = DEFAULTS.minScore } = options;
    const { smoothing = DEFAULTS.smoothing as Smoothing } = options;
    if (!(Number.isInteger(maxFaces) && maxFaces >= 1)) {
      throw new AmeshError('option', `maxFaces is ${maxFaces}; give a whole number from 1`);
    }
    if (!(minScore >= 0 && minScore <= 1)) {
      throw new AmeshError('option', `minScore is ${minScore}; give a number from 0 to 1`);
    }
    if (!(smoothing in PRESETS)) {
      const known = Object.keys(PRESETS).join(', ');
      throw new AmeshError('option', `no smoothing '${smoothing}'; choose one of ${known}`);
    }
    const choice = options.runtime ?? 'auto';
    if (!(choice in RUNTIMES)) {
      const known = Object.keys(RUNTIMES).join(', ');
      throw new AmeshError('option', `no runtime '${choice}'; choose one of ${known}`);
    }
    const models = new URL(options.models.replace(/\/?$/, '/'), document.baseURI);
    const wasm = new URL(options.wasm ?? new URL('../wasm/', models), document.baseURI).href;
    const suffix = choice === 'onnxruntime' ? 'onnx' : 'tflite';
    const [runtime, files] = await Promise.all([
      RUNTIMES[choice](wasm),
      loadModels(models.href, [`detector.${suffix}`, `landmarks.${suffix}`], options.onProgress),
    ]);
    const [detectorFile, landmarksFile] = files as [(typeof files)[0], (typeof files)[0]];
    if (landmarksFile.sidecar.topology !== TOPOLOGY.name) {
      throw new AmeshError(
        'model',
        `${landmarksFile.url} has landmarks of '${landmarksFile.sidecar.topology}'; this page draws '${TOPOLOGY.name}'`,
      );
    }
    const detector = await runtime.open(detectorFile);
    try {
      if (detector.size !== DETECTOR_SIZE) {
        throw new AmeshError('model', `${detectorFile.url} is not detector-short: export that one`);
      }
      const landmarks = await runtime.open(landmarksFile);
      const settled = { ...options, maxFaces, minScore, smoothing };
      return new FaceTracker(runtime, detector, landmarks, settled);
    } catch (error) {
      detector.close();
      throw error;
    }
  }

  /** What runs the networks, for people; with `auto`, it may change in a video. */
  get runtime(): string {
    return this.#runtime.name;
  }

  /** Time that the last call took. */
  get timings(): Timings {
    return this.#timings;
  }

  /** The faces in a still picture, best first. */
  detect(source: CanvasImageSource): Promise<Face[]> {
    return this.#inTurn(source, 2, async (frame) => {
      const looks = await lookAgain(await frame.look(await frame.detect()), frame.look);
      const repeated = repeats(
        looks.map(({ landmarks }) => landmarks),
        looks.map(({ logit }) => logit),
      );
      return looks
        .filter((look, i) => !repeated[i] && scoreOf(look) >= this.options.minScore)
        .slice(0, this.options.maxFaces)
        .map((look, id) => faceOf(id, look));
    });
  }

  /**
   * The faces in the next frame of a video, in the order of their ids.
   *
   * @param seconds When the frame was taken, from any start. Smoothing needs it: a time that does
   *   not grow repeats the last landmarks.
   */
  track(source: CanvasImageSource, seconds: number): Promise<Face[]> {
    return this.#inTurn(source, 1, async (frame) => {
      const tracked = await this.#tracker.next(frame, seconds);
      return tracked.map(({ id, look, landmarks }) => faceOf(id, look, landmarks));
    });
  }

  /** Forgets all faces, as at a cut or before another video; ids go on counting. */
  reset(): void {
    this.#last = this.#last.then(() => this.#tracker.reset());
  }

  /** Gives the memory of the networks back; no call may follow. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#last.finally(() => {
      this.#detector.close();
      this.#landmarks.close();
    });
  }

  #inTurn(
    source: CanvasImageSource,
    samples: 1 | 2,
    work: (frame: Frame) => Promise<Face[]>,
  ): Promise<Face[]> {
    const turn = this.#last.then(async () => {
      if (this.#closed) throw new AmeshError('option', 'this FaceTracker is closed');
      const start = performance.now();
      this.#timings = { detect: 0, crop: 0, network: 0, total: 0 };
      const faces = await work(this.#frameOf(source, samples));
      this.#timings.total = performance.now() - start;
      return faces;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #frameOf(source: CanvasImageSource, samples: 1 | 2): Frame {
    const picture = this.#timed('crop', () => new Picture(source, this.#frame));
    return {
      width: picture.width,
      height: picture.height,
      detect: () => this.#detect(picture),
      look: async (regions) => {
        const looks: Look[] = [];
        for (const region of regions) looks.push(await this.#look(picture, region, samples));
        return looks;
      },
    };
  }

  async #detect(picture: Picture): Promise<Region[]> {
    const start = performance.now();
    const { scale, shift } = letterbox(picture.width, picture.height);
    const affine = [scale, 0, shift[0], 0, scale, shift[1]] as const;
    const input = picture.cut(affine, DETECTOR_SIZE, 1, this.#scratch);
    const { boxes, scores } = await this.#detector.run(input);
    const found = detections(boxes!, scores!, picture.width, picture.height);
    this.#timings.detect += performance.now() - start;
    return found.map(regionOf);
  }

  async #look(picture: Picture, region: Region, samples: 1 | 2): Promise<Look> {
    const { size } = this.#landmarks;
    const affine = imageFromCrop(region, size);
    const input = this.#timed('crop', () => picture.cut(affine, size, samples, this.#scratch));
    const start = performance.now();
    const outputs = await this.#landmarks.run(input);
    this.#timings.network += performance.now() - start;
    const scale = region.size / size;
    const points = outputs['landmarks']!;
    const landmarks = new Float64Array(points.length);
    const [a, b, tx, c, d, ty] = affine;
    for (let i = 0; i < points.length; i += 3) {
      const [u, v] = [points[i]!, points[i + 1]!];
      landmarks[i] = a * u + b * v + tx;
      landmarks[i + 1] = c * u + d * v + ty;
      landmarks[i + 2] = points[i + 2]! * scale;
    }
    const look: Look = { region, landmarks, logit: outputs['face_flag']![0]! };
    const errors = outputs['expected_error'];
    if (errors) look.expectedError = Float64Array.from(errors, (error) => error * scale);
    // One number that is not finite would stay in a filter for ever: no face, then.
    if (!landmarks.every(Number.isFinite) || Number.isNaN(look.logit)) look.logit = -Infinity;
    return look;
  }

  #timed<T>(part: keyof Timings, work: () => T): T {
    const start = performance.now();
    const result = work();
    this.#timings[part] += performance.now() - start;
    return result;
  }
}

function faceOf(id: number, look: Look, smoothed: Float64Array = look.landmarks): Face {
  const face: Face = {
    id,
    landmarks: Float32Array.from(smoothed),
    score: scoreOf(look),
    roi: look.region,
  };
  if (look.expectedError) face.confidence = confidence(look.expectedError, look.landmarks);
  return face;
}
