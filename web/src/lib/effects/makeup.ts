// Makeup on the faces of a picture. Light, shadow and the texture of the skin stay; only colour moves.

import constants from '../constants.json';
import { lay, toLab, type Patch, type Pigment } from './colour';
import { rasterise, type Mask } from './masks';
import { FaceShape, cheeks, eyeLidsAndFolds, eyeLines, irises, lips, type Area } from './shapes';

/** A picture's pixels, RGBA: an `ImageData` is one. */
export interface Pixels {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

export type ProductName = 'lipstick' | 'eyeliner' | 'eyeShadow' | 'blush' | 'irisTint';

/** A product to put on. */
export interface Product {
  name: ProductName;
  /** As `#b0103a`. */
  color: string;
  /** How much of it, 0 to 1. */
  strength: number;
}

type Kind = Omit<Pigment, 'lab'> & Omit<Product, 'name'>;
const KINDS = constants.makeup.products as unknown as Record<ProductName, Kind>;
const AREAS: Record<ProductName, (face: FaceShape) => Area[]> = {
  lipstick: lips,
  eyeliner: eyeLines,
  eyeShadow: eyeLidsAndFolds,
  blush: cheeks,
  irisTint: irises,
};

// Longer side of a face [px] at which makeup begins, and from which it is whole: the lips of smaller
// faces are a few pixels, and a sudden end would flicker in a video.
const SMALL = constants.makeup.small as [begins: number, whole: number];
const LEAST = constants.makeup.least; // less cover moves no channel by more than a level or two

/** A product with its usual colour and strength, or with yours. */
export function product(name: ProductName, changes: Partial<Omit<Product, 'name'>> = {}): Product {
  const { color, strength } = KINDS[name];
  return { name, color, strength, ...changes };
}

/**
 * Puts makeup on one face, in place; in the order of the products.
 *
 * Pixels without makeup keep their values exactly. Faces under 32 px get none, and between 32 and
 * 64 px it fades in. Hands, hair and glasses before the face are not known: makeup goes over them.
 *
 * @param landmarks Of a face, flat (478 x 3) [px of these pixels].
 */
export function applyMakeup(
  pixels: Pixels,
  landmarks: ArrayLike<number>,
  products: readonly Product[],
): void {
  const face = new FaceShape(landmarks);
  const share = Math.min(Math.max((face.size - SMALL[0]) / (SMALL[1] - SMALL[0]), 0), 1);
  if (!(share > 0 && face.unit > 0)) return;
  for (const { name, color, strength } of products) {
    const whole = share * Math.min(Math.max(strength, 0), 1);
    if (whole <= LEAST) continue;
    // Both sides of a face together: it is one pigment, whatever light falls on each side.
    const masks = AREAS[name](face).map((area) => rasterise(area, pixels.width, pixels.height));
    lay(pixels.data, gathered(masks, pixels.width, whole), { ...KINDS[name], lab: toLab(color) });
  }
}

function gathered(masks: readonly (Mask | undefined)[], width: number, strength: number): Patch {
  const most = masks.reduce((sum, mask) => sum + (mask?.cover.length ?? 0), 0);
  const [at, cover] = [new Uint32Array(most), new Float32Array(most)];
  let count = 0;
  for (const mask of masks) {
    for (let i = 0; mask && i < mask.cover.length; i++) {
      const share = mask.cover[i]! * strength;
      if (share <= LEAST) continue;
      const y = Math.floor(i / mask.width);
      at[count] = 4 * ((mask.top + y) * width + mask.left + i - y * mask.width);
      cover[count++] = share;
    }
  }
  return { at: at.subarray(0, count), cover: cover.subarray(0, count) };
}
