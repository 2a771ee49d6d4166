// The colour of makeup, laid on skin whose light and texture stay.
//
// Colours are sRGB, 0 to 255; tints are computed in CIELAB (white D65): L from 0 to 100.

import constants from '../constants.json';
import { smoothStep } from './masks';

export type Lab = readonly [light: number, a: number, b: number];

/** A colour and how it takes to the skin. */
export interface Pigment {
  lab: Lab;
  /** How far the mean lightness of the skin follows the colour's, 0 to 1. */
  depth: number;
  /** Least and greatest factor on the lightness. */
  gains: readonly [least: number, greatest: number];
  /** How much of the chroma is applied where the skin shines, 0 to 1. */
  glints: number;
}

/** Pixels to tint: where they start in the picture's data, and how much of each is covered. */
export interface Patch {
  at: Uint32Array;
  cover: Float32Array;
}

// Tables instead of powers. 14 bits: neighbours differ by less than one level even in the shadows.
const STEPS = constants.makeup.steps;
const LINEAR = Float32Array.from({ length: 256 }, (_, level) => {
  const share = level / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});
const ENCODED = Uint8Array.from({ length: STEPS + 1 }, (_, step) => {
  const share = (step + 0.5) / STEPS;
  return Math.round(
    255 * (share <= 0.0031308 ? share * 12.92 : 1.055 * share ** (1 / 2.4) - 0.055),
  );
});
const SAMPLE = constants.makeup.sample; // pixels that tell how light the skin is

/** CIELAB of a colour such as `#b0103a`. */
export function toLab(hex: string): Lab {
  const digits = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  if (!digits) throw new Error(`${hex} is not a colour; expected #rrggbb, such as #b0103a`);
  const [red, green, blue] = digits.slice(1).map((pair) => parseInt(pair, 16));
  return labOf(red!, green!, blue!);
}

/**
 * Tints pixels in place.
 *
 * a and b move towards those of the colour **under the light that falls on the pixel**: the colour
 * that a surface of this pigment has when it is as light as the pixel. So shadows and highlights
 * stay. L is multiplied by one factor, which keeps the texture. Colours that no screen can show
 * lose chroma, never lightness.
 *
 * @param data RGBA.
 */
export function lay(data: Uint8ClampedArray, { at, cover }: Patch, pigment: Pigment): void {
  if (!at.length) return;
  const mean = meanLight(data, at, cover);
  const [least, greatest] = pigment.gains;
  const [light, a, b] = pigment.lab;
  const gain = Math.min(
    Math.max(1 + pigment.depth * (light / Math.max(mean, 1) - 1), least),
    greatest,
  );
  for (let k = 0; k < at.length; k++) {
    const i = at[k]!;
    let share = cover[k]!;
    const skin = labOf(data[i]!, data[i + 1]!, data[i + 2]!);
    const tinted = skin[0] * (1 + share * (gain - 1));
    if (pigment.glints < 1)
      share *= 1 - (1 - pigment.glints) * smoothStep(skin[0], mean + 12, mean + 38);
    // X, Y and Z of a surface scale with the light; L + 16, a and b with the cube root of it.
    let shade = (tinted + 16) / (light + 16);
    if (shade > 1) shade = Math.sqrt(shade); // a dark pigment on bright skin would glow
    write(
      data,
      i,
      tinted,
      skin[1] + share * (a * shade - skin[1]),
      skin[2] + share * (b * shade - skin[2]),
    );
  }
}

function meanLight(data: Uint8ClampedArray, at: Uint32Array, cover: Float32Array): number {
  let [sum, weight] = [0, 1e-6];
  for (let k = 0; k < at.length; k += 1 + Math.floor(at.length / SAMPLE)) {
    const i = at[k]!;
    sum += cover[k]! * labOf(data[i]!, data[i + 1]!, data[i + 2]!)[0];
    weight += cover[k]!;
  }
  return sum / weight;
}

function labOf(red: number, green: number, blue: number): [light: number, a: number, b: number] {
  const [r, g, b] = [LINEAR[red]!, LINEAR[green]!, LINEAR[blue]!];
  const x = root((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
  const y = root(0.212671 * r + 0.71516 * g + 0.072169 * b);
  const z = root((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function root(share: number): number {
  return share > 216 / 24389 ? Math.cbrt(share) : (24389 / 27 / 116) * share + 16 / 116;
}

function cube(root: number): number {
  return root > 6 / 29 ? root * root * root : (root - 4 / 29) * (108 / 841);
}

/** A colour outside of sRGB moves towards the grey of the same luminance. */
function write(data: Uint8ClampedArray, i: number, light: number, a: number, b: number): void {
  const at = (light + 16) / 116;
  const y = cube(at);
  const x = 0.950456 * cube(at + a / 500);
  const z = 1.088754 * cube(at - b / 200);
  const red = 3.240479 * x - 1.53715 * y - 0.498535 * z - y;
  const green = -0.969256 * x + 1.875991 * y + 0.041556 * z - y;
  const blue = 0.055648 * x - 0.204043 * y + 1.057311 * z - y;
  const most = Math.max(red, green, blue, 1e-6);
  const least = Math.max(-red, -green, -blue, 1e-6);
  const share = Math.min(Math.max(Math.min((1 - y) / most, y / least), 0), 1);
  data[i] = encoded(y + share * red);
  data[i + 1] = encoded(y + share * green);
  data[i + 2] = encoded(y + share * blue);
}

function encoded(linear: number): number {
  return ENCODED[Math.min(Math.max(Math.floor(linear * STEPS), 0), STEPS)]!;
}
