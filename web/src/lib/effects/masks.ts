// Areas of makeup as masks: filled, feathered, and faded where the face turns away.

import constants from '../constants.json';
import type { Area, Layer, Plane } from './shapes';
import type { Point } from './splines';

const {
  reach: REACH, // feathers beyond which nothing is covered
  maxFeather: MAX_FEATHER, // [px]: bounds the work on faces much larger than their picture
} = constants.makeup;
const LINES = 4; // scan lines per row of cells

/** How much of each pixel of a box of the picture is covered, 0 to 1. */
export interface Mask {
  left: number;
  top: number;
  width: number;
  height: number;
  cover: Float32Array;
}

/** Draws an area within a picture; nothing if it cannot be seen. */
export function rasterise(area: Area, width: number, height: number): Mask | undefined {
  const feather = Math.min(area.feather, MAX_FEATHER);
  const edge = Math.min(area.edge ?? 0, MAX_FEATHER);
  const share = area.cover ?? 1;
  const finest = area.inside || area.outside ? Math.min(feather, edge) : feather;
  const step = cells(finest);
  const box = bounds(area.layers, REACH * feather + step + 1, width, height);
  if (share <= 0 || box.left >= box.right || box.top >= box.bottom) return undefined;
  const grid = new Grid(box.left, box.top, box.right - box.left, box.bottom - box.top, step);
  const cover = grid.soft(area.layers, feather);
  const inside = area.inside && grid.soft([{ outline: area.inside, level: 1 }], edge);
  const outside = area.outside && grid.soft([{ outline: area.outside, level: 1 }], edge);
  for (let i = 0; i < cover.length; i++) {
    let value = cover[i]! * share;
    if (inside) value *= inside[i]!;
    if (outside) value *= 1 - outside[i]!;
    cover[i] = value === 0 ? 0 : value * grid.visible(i, area.fade);
  }
  return grid.mask(cover);
}

/** Side of the cells that a blur is computed in [px]: a wide one needs few. */
function cells(sigma: number): number {
  return Math.max(Math.floor(sigma / 2.5), 1);
}

function bounds(
  layers: readonly Layer[],
  margin: number,
  width: number,
  height: number,
): { left: number; top: number; right: number; bottom: number } {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { outline } of layers) {
    for (const [x, y] of outline) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  const clamp = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
  return {
    left: clamp(Math.floor(left - margin), width),
    top: clamp(Math.floor(top - margin), height),
    right: clamp(Math.ceil(right + margin), width),
    bottom: clamp(Math.ceil(bottom + margin), height),
  };
}

/** Cells of `step` pixels over a box of the picture. */
class Grid {
  private readonly columns: number;
  private readonly rows: number;

  constructor(
    private readonly left: number,
    private readonly top: number,
    private readonly width: number,
    private readonly height: number,
    private readonly step: number,
  ) {
    this.columns = Math.ceil(width / step);
    this.rows = Math.ceil(height / step);
  }

  /** The layers, blurred; beyond the box they go on as they end there. */
  soft(layers: readonly Layer[], sigma: number): Float32Array {
    const factor = Math.floor(cells(sigma) / this.step);
    if (factor > 1) {
      const { left, top, width, height, step, columns, rows } = this;
      const coarse = new Grid(left, top, width, height, factor * step);
      return coarse.enlarged(coarse.soft(layers, sigma), factor, columns, rows);
    }
    const cover = new Float32Array(this.columns * this.rows);
    for (const { outline, level } of layers) {
      const filled = this.fill(outline);
      for (let i = 0; i < cover.length; i++) cover[i]! += filled[i]! * (level - cover[i]!);
    }
    return blurred(cover, this.columns, this.rows, sigma / this.step);
  }

  /** How visible the surface at a cell is. */
  visible(cell: number, [level, slopeX, slopeY]: Plane): number {
    const x = this.left + this.step * ((cell % this.columns) + 0.5);
    const y = this.top + this.step * (Math.floor(cell / this.columns) + 0.5);
    return smoothStep(level + slopeX * x + slopeY * y, 0, 1);
  }

  /** The mask in pixels of the picture. */
  mask(cover: Float32Array): Mask {
    const { left, top, width, height, step } = this;
    return { left, top, width, height, cover: this.enlarged(cover, step, width, height) };
  }

  /** Values of cells, interpolated between their centres, in smaller cells: `factor` to a side. */
  private enlarged(
    cells: Float32Array,
    factor: number,
    width: number,
    height: number,
  ): Float32Array {
    if (factor === 1) return cells;
    const { columns, rows } = this;
    const cover = new Float32Array(width * height);
    // Typed arrays: with a tuple for each column, large masks take twice the time.
    const [firsts, shares] = [new Uint32Array(width), new Float32Array(width)];
    for (let x = 0; x < width; x++) [firsts[x], shares[x]] = place(x, factor, columns);
    for (let y = 0; y < height; y++) {
      const [upper, down] = place(y, factor, rows);
      const above = upper * columns;
      const below = Math.min(upper + 1, rows - 1) * columns;
      for (let x = 0; x < width; x++) {
        const [first, share] = [firsts[x]!, shares[x]!];
        const next = Math.min(first + 1, columns - 1);
        const a = cells[above + first]! + share * (cells[above + next]! - cells[above + first]!);
        const b = cells[below + first]! + share * (cells[below + next]! - cells[below + first]!);
        cover[y * width + x] = a + down * (b - a);
      }
    }
    return cover;
  }

  /** The share of each cell within a polygon: exact along a scan line, sampled across. */
  private fill(outline: readonly Point[]): Float32Array {
    const { columns, rows, step } = this;
    const filled = new Float32Array(columns * rows);
    const crossings: number[][] = Array.from({ length: rows * LINES }, () => []);
    for (let i = 0; i < outline.length; i++) {
      const [a, b] = [outline[i]!, outline[(i + 1) % outline.length]!];
      const [ax, ay] = [(a[0] - this.left) / step, ((a[1] - this.top) / step) * LINES - 0.5];
      const [bx, by] = [(b[0] - this.left) / step, ((b[1] - this.top) / step) * LINES - 0.5];
      const from = Math.max(Math.ceil(Math.min(ay, by)), 0);
      const to = Math.min(Math.ceil(Math.max(ay, by)), crossings.length);
      for (let line = from; line < to; line++) {
        crossings[line]!.push(ax + ((line - ay) / (by - ay)) * (bx - ax));
      }
    }
    crossings.forEach((xs, line) => {
      xs.sort((a, b) => a - b);
      const row = Math.floor(line / LINES) * columns;
      for (let i = 0; i + 1 < xs.length; i += 2) {
        const [start, end] = [Math.max(xs[i]!, 0), Math.min(xs[i + 1]!, columns)];
        for (let x = Math.floor(start); x < end; x++) {
          filled[row + x]! += (Math.min(end, x + 1) - Math.max(start, x)) / LINES;
        }
      }
    });
    return filled;
  }
}

/** The cell whose centre lies before a smaller one's, and how far this is on the way to the next. */
function place(small: number, factor: number, count: number): [cell: number, share: number] {
  const at = Math.min(Math.max((small + 0.5) / factor - 0.5, 0), count - 1);
  const cell = Math.floor(at);
  return [cell, at - cell];
}

/** Gaussian blur; sigma in cells. */
function blurred(cover: Float32Array, columns: number, rows: number, sigma: number): Float32Array {
  if (sigma < 0.2) return cover;
  const radius = Math.ceil(REACH * sigma);
  const kernel = Float32Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = kernel.reduce((sum, value) => sum + value, 0);
  for (let i = 0; i < kernel.length; i++) kernel[i]! /= total;
  const across = convolved(cover, kernel, rows, columns, columns, 1);
  return convolved(across, kernel, columns, rows, 1, columns);
}

function convolved(
  source: Float32Array,
  kernel: Float32Array,
  lines: number,
  length: number,
  lineStride: number,
  stride: number,
): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const result = new Float32Array(source.length);
  const padded = new Float32Array(length + 2 * radius); // a line that goes on as it ends
  for (let line = 0; line < lines; line++) {
    const start = line * lineStride;
    for (let i = 0; i < length; i++) padded[radius + i] = source[start + i * stride]!;
    padded.fill(padded[radius]!, 0, radius);
    padded.fill(padded[radius + length - 1]!, radius + length);
    for (let i = 0; i < length; i++) {
      const middle = i + radius;
      let sum = kernel[radius]! * padded[middle]!;
      for (let k = 1; k <= radius; k++) {
        sum += kernel[radius + k]! * (padded[middle - k]! + padded[middle + k]!);
      }
      result[start + i * stride] = sum;
    }
  }
  return result;
}

/** 0 up to `low`, 1 from `high`, and smooth between. */
export function smoothStep(value: number, low: number, high: number): number {
  const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return share * share * (3 - 2 * share);
}
