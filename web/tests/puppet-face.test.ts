import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FACE } from '../src/lib/effects/face-data';
import { MorphTargets } from '../src/page/puppet-face';

const file = new URL('../public/models/morph_targets.safetensors', import.meta.url);
const targets = new MorphTargets(Uint8Array.from(readFileSync(file)));

/** The face that makes expressions: where a landmark is [mm]. */
function face(weights: Record<string, number>): (row: number) => number[] {
  for (const name of Object.keys(weights)) expect(targets.names).toContain(name);
  const points = targets.face(targets.names.map((name) => weights[name] ?? 0));
  return (row) => [...points.subarray(3 * row, 3 * row + 3)];
}

const rest = face({});
const [, inner] = FACE.lips;
const middle = (row: readonly number[]): number => row[row.length >> 1]!;
/** From the upper to the lower one of two borders [mm]. */
const gap = (at: (row: number) => number[], upper: number, lower: number): number =>
  at(lower)[1]! - at(upper)[1]!;

describe("the puppet's own face", () => {
  it('rests with its lips closed and its eyes open', () => {
    expect(Math.abs(gap(rest, middle(inner!.upper), middle(inner!.lower)))).toBeLessThan(0.5);
    for (const eye of FACE.eyes)
      expect(gap(rest, middle(eye.upper), middle(eye.lower))).toBeGreaterThan(5);
  });

  it('closes the eye that blinks', () => {
    const winks = face({ eyeBlinkLeft: 1 });
    const [right, left] = FACE.eyes.map((eye) => gap(winks, middle(eye.upper), middle(eye.lower)));
    expect(Math.abs(left!)).toBeLessThan(0.7);
    expect(right).toBeGreaterThan(5);
  });

  it('opens its jaw, downwards', () => {
    const open = face({ jawOpen: 1 });
    expect(gap(open, middle(inner!.upper), middle(inner!.lower))).toBeGreaterThan(25);
    expect(open(152)[1]! - rest(152)[1]!).toBeGreaterThan(15); // the chin
    expect(open(10)[1]).toBeCloseTo(rest(10)[1]!, 2); // the forehead
  });

  it('lifts the corners of its mouth when it smiles', () => {
    const smiles = face({ mouthSmileLeft: 1, mouthSmileRight: 1 });
    for (const corner of [61, 291]) expect(smiles(corner)[1]!).toBeLessThan(rest(corner)[1]! - 3);
    expect(smiles(291)[0]! - smiles(61)[0]!).toBeGreaterThan(rest(291)[0]! - rest(61)[0]! + 5);
  });
});
