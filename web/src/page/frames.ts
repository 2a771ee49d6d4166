// The frame that is shown, as it is and with makeup.

import type { Face } from '../lib/index';
import { applyMakeup, type Product } from '../lib/effects/makeup';

const MARGIN = 0.12; // of a face's size: makeup reaches a little beyond the landmarks

/** A frame of the picture or video, in its own pixels. */
export class Frames {
  readonly original = document.createElement('canvas');
  private readonly painted = document.createElement('canvas');
  private readonly from = context(this.original);
  private readonly onto = context(this.painted);

  get width(): number {
    return this.original.width;
  }

  get height(): number {
    return this.original.height;
  }

  /** Keeps a frame; a video would go on while networks work. */
  grab(source: CanvasImageSource, width: number, height: number): void {
    for (const canvas of [this.original, this.painted]) {
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
      }
    }
    this.from.drawImage(source, 0, 0, width, height);
  }

  /** The frame with makeup on its faces; the original if there is nothing to put on. */
  made(faces: readonly Face[], products: readonly Product[]): HTMLCanvasElement {
    if (!faces.length || !products.length) return this.original;
    this.onto.drawImage(this.original, 0, 0);
    for (const { landmarks } of faces) {
      const box = around(landmarks, this.width, this.height);
      if (!box) continue;
      const pixels = this.onto.getImageData(box.left, box.top, box.width, box.height);
      applyMakeup(pixels, moved(landmarks, -box.left, -box.top), products);
      this.onto.putImageData(pixels, box.left, box.top);
    }
    return this.painted;
  }
}

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext('2d', { willReadFrequently: true })!;
}

function around(
  landmarks: Float32Array,
  width: number,
  height: number,
): { left: number; top: number; width: number; height: number } | undefined {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    left = Math.min(left, landmarks[i]!);
    right = Math.max(right, landmarks[i]!);
    top = Math.min(top, landmarks[i + 1]!);
    bottom = Math.max(bottom, landmarks[i + 1]!);
  }
  const margin = MARGIN * Math.max(right - left, bottom - top);
  left = Math.max(0, Math.floor(left - margin));
  top = Math.max(0, Math.floor(top - margin));
  right = Math.min(width, Math.ceil(right + margin));
  bottom = Math.min(height, Math.ceil(bottom + margin));
  return right > left && bottom > top
    ? { left, top, width: right - left, height: bottom - top }
    : undefined;
}

function moved(landmarks: Float32Array, x: number, y: number): Float32Array {
  return landmarks.map((value, i) => (i % 3 === 0 ? value + x : i % 3 === 1 ? value + y : value));
}
