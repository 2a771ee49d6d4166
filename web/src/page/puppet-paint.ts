// The puppet's painted face: lips, brows, lashes and cheeks in the texture of the canonical face.

import { CONTOURS } from '../lib/index';
import { FACE } from '../lib/effects/face-data';
import type { Product, ProductName } from '../lib/effects/makeup';
import { curve, loop, opening, type Point } from '../lib/effects/splines';

const SIDE = 1024; // of the texture [px]
export const PORCELAIN = '#f3e9e1';
const BROW = '#6d5346';

/** The texture of a face with this makeup; without, the puppet still has lips and lashes. */
export function paintedFace(products: readonly Product[]): HTMLCanvasElement {
  const canvas = square(SIDE);
  const context = canvas.getContext('2d')!;
  context.fillStyle = PORCELAIN;
  context.fillRect(0, 0, SIDE, SIDE);
  const worn = new Map<ProductName, Product>(products.map((product) => [product.name, product]));
  blushes(context, worn.get('blush'));
  for (const eye of FACE.eyes) {
    const [lash, fold, bone, lower] = [eye.upper, eye.fold, eye.bone, eye.lower].map((row) =>
      curve(points(row)),
    ) as [Point[], Point[], Point[], Point[]];
    const shadow = worn.get('eyeShadow');
    if (shadow) {
      const top = fold.map(([x, y], i) => [(x + bone[i]![0]) / 2, (y + bone[i]![1]) / 2] as const);
      soft(context, [...lash, ...top.reverse()], shadow.color, 0.85 * shadow.strength, 9);
    }
    const liner = worn.get('eyeliner');
    stroke(context, lash, liner?.color ?? '#4a3a34', liner ? 8 : 4);
    stroke(context, lower, '#8d766b', 2);
  }
  for (const name of ['right_eyebrow', 'left_eyebrow']) {
    const [lower, upper] = (CONTOURS[name] ?? []).map((row) => curve(points(row)));
    if (lower && upper) soft(context, [...upper, ...lower.reverse()], BROW, 0.85, 3);
  }
  const [outer, inner] = FACE.lips.map((border) =>
    opening(curve(points(border.upper)), curve(points(border.lower))),
  ) as [Point[], Point[]];
  const lipstick = worn.get('lipstick');
  soft(context, outer, lipstick?.color ?? '#cf8d84', lipstick ? lipstick.strength : 0.8, 2);
  stroke(context, [...inner, inner[0]!], 'rgb(60 16 22 / 0.35)', 3);
  return canvas;
}

/** An iris with its pupil and a reflection. */
export function irisTexture(color: string): HTMLCanvasElement {
  const side = 128;
  const canvas = square(side);
  const context = canvas.getContext('2d')!;
  const half = side / 2;
  const disc = (x: number, y: number, radius: number, fill: string | CanvasGradient): void => {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
  };
  disc(half, half, half, '#16120f');
  const gradient = context.createRadialGradient(
    half,
    half * 1.25,
    half * 0.2,
    half,
    half,
    half * 0.92,
  );
  gradient.addColorStop(0, mixed(color, '#ffffff', 0.35));
  gradient.addColorStop(0.7, color);
  gradient.addColorStop(1, mixed(color, '#000000', 0.55));
  disc(half, half, half * 0.92, gradient);
  disc(half, half, half * 0.42, '#0a0908');
  disc(half * 0.7, half * 0.62, half * 0.17, 'rgb(255 255 255 / 0.92)');
  return canvas;
}

function blushes(context: CanvasRenderingContext2D, blush: Product | undefined): void {
  for (const row of FACE.cheeks) {
    const outline = loop(points(row));
    const [x, y] = [0, 1].map(
      (axis) => outline.reduce((sum, point) => sum + point[axis]!, 0) / outline.length,
    ) as [number, number];
    const gradient = context.createRadialGradient(x, y, 4, x, y, 105);
    const strength = blush ? Math.min(1, 1.6 * blush.strength) : 0.22;
    gradient.addColorStop(0, transparent(blush?.color ?? '#e79a92', strength));
    gradient.addColorStop(1, transparent(blush?.color ?? '#e79a92', 0));
    context.fillStyle = gradient;
    context.fillRect(x - 110, y - 110, 220, 220);
  }
}

/** Fills an outline with a soft edge: by its shadow, because not every browser has filters on canvases. */
function soft(
  context: CanvasRenderingContext2D,
  outline: readonly Point[],
  color: string,
  strength: number,
  blur: number,
): void {
  context.save();
  context.globalAlpha = strength;
  context.shadowColor = color;
  context.shadowBlur = 2 * blur;
  context.shadowOffsetX = 2 * SIDE;
  context.translate(-2 * SIDE, 0); // the outline itself lies beside the canvas
  context.beginPath();
  trace(context, outline);
  context.closePath();
  context.fillStyle = '#000';
  context.fill();
  context.restore();
}

function stroke(
  context: CanvasRenderingContext2D,
  line: readonly Point[],
  color: string,
  width: number,
): void {
  context.beginPath();
  trace(context, line);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = 'round';
  context.stroke();
}

function points(rows: readonly number[]): Point[] {
  return rows.map((row) => [SIDE * FACE.uv[2 * row]!, SIDE * FACE.uv[2 * row + 1]!]);
}

function trace(context: CanvasRenderingContext2D, line: readonly Point[]): void {
  line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
}

function square(side: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  return canvas;
}

function channels(hex: string): number[] {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function transparent(hex: string, alpha: number): string {
  return `rgb(${channels(hex).join(' ')} / ${alpha})`;
}

function mixed(hex: string, other: string, share: number): string {
  const b = channels(other);
  return `rgb(${channels(hex)
    .map((value, i) => Math.round(value + share * (b[i]! - value)))
    .join(' ')})`;
}
