import { describe, expect, it } from 'vitest';
import { explanation, Speed, type Parts } from '../src/page/speed';

const fast: Parts = { detector: 0, crop: 1, network: 14, makeup: 2, drawing: 3 };
const here = { runtime: 'LiteRT.js', isolated: false, cores: 8 };

describe('speed', () => {
  it('follows the frames', () => {
    const speed = new Speed();
    for (let i = 0; i <= 50; i++) speed.add(fast, 40 * i);
    expect(speed.rate).toBeCloseTo(25, 6);
    expect(speed.milliseconds).toEqual(fast);
    speed.reset();
    expect(speed.rate).toBe(0);
  });

  it('says why it is slow, and nothing of it otherwise', () => {
    expect(explanation(30, fast, here)).toBe('Networks run in LiteRT.js.');
    const slow = { ...fast, network: 90 };
    expect(explanation(9, slow, here)).toContain('Landmarks takes 90 of 96 ms');
    expect(explanation(9, slow, here)).toContain('COOP and COEP');
    expect(explanation(9, slow, { ...here, isolated: true })).not.toContain('COOP');
    expect(explanation(9, slow, { ...here, runtime: 'LiteRT.js (WebGPU)' })).not.toContain('COOP');
    expect(explanation(9, { ...fast, makeup: 90 }, here)).toContain('fewer effects');
  });

  it('does not blame the page for a slow camera', () => {
    expect(explanation(12, fast, here)).toContain('no more frames');
  });
});
