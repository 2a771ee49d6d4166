import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toLab } from '../src/lib/effects/colour';
import { applyMakeup, product, type Pixels, type ProductName } from '../src/lib/effects/makeup';

interface Golden {
  width: number;
  height: number;
  landmarks: number[];
  picture: string;
  products: Record<ProductName, { color: string; strength: number; picture: string }>;
}

const golden = JSON.parse(
  readFileSync(new URL('../build/golden/makeup.json', import.meta.url), 'utf8'),
) as Golden;

function pixels(): Pixels {
  const rgb = Buffer.from(golden.picture, 'base64');
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let i = 0; i < rgb.length / 3; i++) data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  return { data, width: golden.width, height: golden.height };
}

function same(a: Uint8ClampedArray, b: Uint8ClampedArray): boolean {
  return a.every((value, i) => value === b[i]);
}

/** How two pictures differ: mean and largest difference where Python changed the picture. */
function compare(name: ProductName): { touched: number; mean: number; most: number } {
  const { color, strength, picture } = golden.products[name];
  const ours = pixels();
  applyMakeup(ours, golden.landmarks, [product(name, { color, strength })]);
  const before = Buffer.from(golden.picture, 'base64');
  const after = Buffer.from(picture, 'base64');
  let [touched, sum, most] = [0, 0, 0];
  for (let i = 0; i < before.length; i++) {
    const difference = Math.abs(ours.data[4 * Math.floor(i / 3) + (i % 3)]! - after[i]!);
    most = Math.max(most, difference);
    if (before[i] === after[i]) continue;
    touched++;
    sum += difference;
  }
  return { touched, mean: sum / touched, most };
}

describe('makeup on the astronaut, against Python', () => {
  // Levels of 255. Python's polygons have OpenCV's edges, ours exact ones: they differ along thin lines.
  it.each([
    ['lipstick', 2, 18],
    ['eyeliner', 4, 25],
    ['eyeShadow', 1.2, 7],
    ['blush', 0.4, 4],
    ['irisTint', 1.2, 10],
  ] as const)('%s: mean difference below %d levels, largest below %d', (name, mean, most) => {
    const found = compare(name);
    expect(found.touched).toBeGreaterThan(100);
    expect(found.mean).toBeLessThan(mean);
    expect(found.most).toBeLessThan(most);
  });

  it('leaves pixels outside of the product as they are', () => {
    const ours = pixels();
    applyMakeup(ours, golden.landmarks, [product('lipstick', { strength: 1 })]);
    const before = pixels();
    const mouth = 2 / 3; // of the picture's height: the lips lie below, the eyes above
    const above = 4 * golden.width * Math.floor(golden.height * (mouth - 0.15));
    expect(same(ours.data.subarray(0, above), before.data.subarray(0, above))).toBe(true);
    expect(same(ours.data, before.data)).toBe(false);
  });

  it('puts nothing on a face of a few pixels, or partly outside the picture', () => {
    const ours = pixels();
    const tiny = golden.landmarks.map((value) => value / 20);
    applyMakeup(ours, tiny, [product('lipstick')]);
    expect(same(ours.data, pixels().data)).toBe(true);
    const aside = golden.landmarks.map((value, i) =>
      i % 3 === 0 ? value - 2 * golden.width : value,
    );
    applyMakeup(ours, aside, [product('lipstick'), product('blush')]);
    expect(same(ours.data, pixels().data)).toBe(true);
  });
});

describe('colours', () => {
  // Known values of CIELAB for the primaries of sRGB (D65).
  it.each([
    ['#ff0000', [53.24, 80.09, 67.2]],
    ['#00ff00', [87.74, -86.18, 83.18]],
    ['#0000ff', [32.3, 79.19, -107.86]],
    ['#ffffff', [100, 0, 0]],
  ])('%s', (hex, lab) => {
    toLab(hex).forEach((value, i) => expect(Math.abs(value - lab[i]!)).toBeLessThan(0.1));
  });

  it('refuses what is no colour', () => {
    expect(() => toLab('crimson')).toThrow('expected #rrggbb');
  });
});
