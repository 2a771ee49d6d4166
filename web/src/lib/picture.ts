/** Cuts squares out of pictures with a canvas. */

import constants from './constants.json';
import { AmeshError, reason } from './errors';
import type { Affine } from './region';

type Drawable = Exclude<CanvasImageSource, SVGImageElement>;
type Canvas = OffscreenCanvas | HTMLCanvasElement;

/** The largest canvas that every browser gives [px]; larger pictures are halved as they are drawn. */
const MAX_PIXELS = 4096 * 4096;
/** Black around the canvas, so that the picture's edges blend into it as in a bilinear sample [px]. */
const RIM = 1;
/** Largest distance of samples in a crop that shrinks the picture [px]: beyond, it is halved first. */
const STEP = constants.crops.step;

/**
 * A still picture, or a frame that no longer changes while networks look at it.
 *
 * Coordinates are those of the source at its natural size.
 */
export class Picture {
  readonly width: number;
  readonly height: number;
  /** Halvings between the source and the canvas. */
  readonly #halvings: number;
  readonly #canvas: Canvas;

  /**
   * Copies the source.
   *
   * @param keep A canvas to use again.
   */
  constructor(source: CanvasImageSource, keep?: Scratch) {
    [this.width, this.height] = sizeOf(source);
    if (!(this.width > 0 && this.height > 0)) {
      throw new AmeshError(
        'picture',
        'the picture has no pixels: it is not loaded yet, or the browser cannot read it',
      );
    }
    let halvings = 0;
    while ((this.width * this.height) / 4 ** halvings > MAX_PIXELS) halvings++;
    this.#halvings = halvings;
    const scale = 1 / 2 ** halvings;
    const [width, height] = [Math.ceil(this.width * scale), Math.ceil(this.height * scale)];
    const scratch = keep ?? new Scratch();
    const context = scratch.context(width + 2 * RIM, height + 2 * RIM);
    try {
      context.drawImage(source, RIM, RIM, this.width * scale, this.height * scale);
    } catch (error) {
      throw new AmeshError('picture', `the browser cannot draw this picture: ${reason(error)}`);
    }
    this.#canvas = scratch.canvas!;
  }

  /**
   * Cuts a square out, into numbers from 0 to 1: rows of pixels of red, green, blue.
   *
   * Pixels outside the picture are black. Where the crop shrinks the picture, it is halved until
   * little shrinking remains, and each pixel is the mean of `samples` x `samples` values.
   *
   * @param affine From the pixels of the crop to those of the picture.
   * @param size Side of the crop [px].
   */
  cut(affine: Affine, size: number, samples: 1 | 2, scratch: CropScratch): Float32Array {
    let [a, b, tx, c, d, ty] = affine.map(
      (value) => value / 2 ** this.#halvings,
    ) as unknown as Affine;
    [tx, ty] = [tx + RIM, ty + RIM];
    const shrink = Math.max(Math.hypot(a, c), Math.hypot(b, d));
    const fine = shrink > 1 + 1e-6 ? samples : 1;
    let image: Canvas = this.#canvas;
    let halvings = 0;
    while (shrink > STEP * fine * 2 ** halvings) halvings++;
    if (halvings) {
      const cell = 2 ** halvings;
      const part = seen([a, b, tx, c, d, ty], size, cell, image);
      if (!part) return new Float32Array(3 * size * size);
      image = halved(image, part, halvings, scratch.levels);
      [a, b, c, d] = [a / cell, b / cell, c / cell, d / cell];
      [tx, ty] = [(tx - part.left) / cell, (ty - part.top) / cell];
    }
    const context = scratch.fine.context(size * fine, size * fine);
    // The canvas wants the inverse: from the picture to the crop.
    const scale = fine / (a * d - b * c);
    context.setTransform(
      d * scale,
      -c * scale,
      -b * scale,
      a * scale,
      (b * ty - d * tx) * scale,
      (c * tx - a * ty) * scale,
    );
    context.imageSmoothingQuality = 'low'; // bilinear, as the network was trained on
    context.drawImage(image, 0, 0);
    context.resetTransform();
    const pixels = context.getImageData(0, 0, size * fine, size * fine).data;
    return fine === 1 ? toUnit(pixels) : means(pixels, size);
  }
}

/** A canvas that is used again and again. */
export class Scratch {
  canvas: Canvas | undefined;
  #context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | undefined;

  /** Its context, at this size, all black. */
  context(
    width: number,
    height: number,
  ): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
    this.canvas ??= newCanvas();
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.#context ??= this.canvas.getContext('2d', { willReadFrequently: true }) as
      CanvasRenderingContext2D | undefined;
    if (!this.#context) {
      throw new AmeshError(
        'picture',
        `the browser has no memory for a ${width} x ${height} canvas`,
      );
    }
    this.#context.fillStyle = '#000';
    this.#context.fillRect(0, 0, width, height);
    return this.#context;
  }
}

/** The canvases that cutting needs. */
export class CropScratch {
  readonly fine = new Scratch();
  /** Two, in turn: one is drawn into the other. */
  readonly levels = [new Scratch(), new Scratch()] as const;
}

interface Part {
  left: number;
  top: number;
  width: number;
  height: number;
}

function newCanvas(): Canvas {
  return typeof OffscreenCanvas === 'undefined'
    ? document.createElement('canvas')
    : new OffscreenCanvas(1, 1);
}

/** Natural width and height of anything that can be drawn [px]. */
export function sizeOf(source: CanvasImageSource): [number, number] {
  const drawable = source as Drawable;
  if ('videoWidth' in drawable) return [drawable.videoWidth, drawable.videoHeight];
  if ('naturalWidth' in drawable) return [drawable.naturalWidth, drawable.naturalHeight];
  if ('displayWidth' in drawable) return [drawable.displayWidth, drawable.displayHeight];
  return [drawable.width, drawable.height];
}

/**
 * The part of the canvas that a crop can see, in whole cells counted from the picture's corner;
 * undefined if it sees none. It may begin before the canvas, where everything is black.
 */
function seen(
  [a, b, tx, c, d, ty]: Affine,
  size: number,
  cell: number,
  image: Canvas,
): Part | undefined {
  const xs = [tx, tx + a * size, tx + b * size, tx + (a + b) * size];
  const ys = [ty, ty + c * size, ty + d * size, ty + (c + d) * size];
  const low = (values: number[]): number => {
    const cells = Math.floor((Math.min(...values) - RIM) / cell - 1);
    return RIM + cell * Math.max(cells, -1);
  };
  const [left, top] = [low(xs), low(ys)];
  const width = Math.min(image.width, Math.ceil(Math.max(...xs)) + 2 * cell) - left;
  const height = Math.min(image.height, Math.ceil(Math.max(...ys)) + 2 * cell) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : undefined;
}

/** Halves a part of a picture: each time, a pixel is the mean of 2 x 2 pixels. */
function halved(image: Canvas, part: Part, times: number, scratch: CropScratch['levels']): Canvas {
  let { left, top, width, height } = part;
  for (let i = 0; i < times; i++) {
    const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const into = scratch[i % 2]!;
    const context = into.context(halfWidth, halfHeight);
    context.imageSmoothingQuality = 'low'; // at exactly one half, bilinear is the mean of 2 x 2
    context.drawImage(image, left, top, width, height, 0, 0, width / 2, height / 2);
    image = into.canvas!;
    [left, top, width, height] = [0, 0, halfWidth, halfHeight];
  }
  return image;
}

function toUnit(pixels: Uint8ClampedArray): Float32Array {
  const values = new Float32Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    values[to++] = pixels[from]! / 255;
    values[to++] = pixels[from + 1]! / 255;
    values[to++] = pixels[from + 2]! / 255;
  }
  return values;
}

/** Means of 2 x 2 pixels, from 0 to 1. */
function means(pixels: Uint8ClampedArray, size: number): Float32Array {
  const values = new Float32Array(3 * size * size);
  const row = 8 * size;
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const from = 2 * y * row + 8 * x;
      for (let c = from; c < from + 3; c++) {
        const sum = pixels[c]! + pixels[c + 4]! + pixels[c + row]! + pixels[c + row + 4]!;
        values[to++] = sum / (4 * 255);
      }
    }
  }
  return values;
}
