import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Blendshapes } from '../src/lib/blendshapes';

const read = (path: string): Buffer => readFileSync(new URL(`../${path}`, import.meta.url));
const golden = JSON.parse(read('build/golden/blendshapes.json').toString()) as {
  names: string[];
  faces: number[][];
  values: number[][];
  calibrated: number[];
};
const content = Uint8Array.from(read('public/models/blendshapes.safetensors'));

function most(found: ArrayLike<number>, expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(found[i]! - value)));
}

describe('blendshapes', () => {
  it('are those of Python, within 0.005', () => {
    const blendshapes = Blendshapes.from(content);
    expect(blendshapes.names).toEqual(golden.names);
    for (const [i, face] of golden.faces.entries()) {
      expect(most(blendshapes.values(face), golden.values[i]!), `face ${i}`).toBeLessThan(0.005);
    }
    const values = golden.values.flat();
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(0.5); // they say something
  });

  it('are read from a part of a larger buffer, too', () => {
    const larger = new Uint8Array(content.length + 5);
    larger.set(content, 5);
    expect(Blendshapes.from(larger.subarray(5)).names).toEqual(golden.names);
  });

  it('have the face at rest as their zero, as in Python', () => {
    const blendshapes = Blendshapes.from(content);
    const rest = [...golden.faces[0]!];
    rest.splice(3 * 14, 3, ...rest.slice(3 * 13, 3 * 14));
    blendshapes.calibrate([rest]);
    expect(Math.max(...blendshapes.values(rest))).toBe(0);
    expect(most(blendshapes.values(golden.faces[0]!), golden.calibrated)).toBeLessThan(0.005);
  });

  it('refuse to be calibrated with an open mouth, or by nothing', () => {
    const blendshapes = Blendshapes.from(content);
    const open = [...golden.faces[0]!];
    open[3 * 14 + 1]! += 20;
    expect(() => blendshapes.calibrate([open])).toThrow('mouth is open');
    expect(() => blendshapes.calibrate([])).toThrow('at least one frame');
  });

  it('say so if their file is damaged', () => {
    for (const end of [0, 4, 100]) {
      expect(() => Blendshapes.from(content.slice(0, end))).toThrow('damaged');
    }
  });
});
