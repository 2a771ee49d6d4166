// The room that the puppet stands in, in place of the picture.

import type { Puppet } from './puppet';

const PREVIEW = 0.24; // of the picture's width: the original in the corner

export interface Shown {
  /** Absent while it loads, or without a face. */
  puppet: Puppet | undefined;
  landmarks: Float32Array | undefined;
  original: HTMLCanvasElement;
  /** Pixels of the screen per pixel of the picture. */
  density: number;
}

export function showPuppet(context: CanvasRenderingContext2D, shown: Shown): void {
  const { puppet, landmarks, original, density } = shown;
  const { width, height } = original;
  const [x, y] = [width / 2, 0.42 * height];
  const glow = context.createRadialGradient(x, y, 0, x, y, 0.8 * Math.max(width, height));
  glow.addColorStop(0, '#4a4456');
  glow.addColorStop(0.55, '#26232d');
  glow.addColorStop(1, '#131217');
  context.fillStyle = glow;
  context.fillRect(0, 0, width, height);
  if (puppet && landmarks) {
    const size = { width: Math.round(width * density), height: Math.round(height * density) };
    context.drawImage(puppet.draw(landmarks, original, size), 0, 0, width, height);
  }
  preview(context, original);
}

function preview(context: CanvasRenderingContext2D, original: HTMLCanvasElement): void {
  const [width, height] = [PREVIEW * original.width, PREVIEW * original.height];
  const margin = 0.03 * Math.min(original.width, original.height);
  const top = original.height - height - margin;
  context.save();
  context.beginPath();
  context.roundRect(margin, top, width, height, 0.06 * width);
  context.clip();
  context.drawImage(original, margin, top, width, height);
  context.restore();
}
