import { describe, expect, it } from 'vitest';
import { LOOKS, usual, wear } from '../src/page/settings';

describe('looks', () => {
  it('put their products on and the others off', () => {
    const settings = usual();
    wear(settings, LOOKS['Ocean']!);
    expect(settings.products.every(({ on }) => on)).toBe(true);
    wear(settings, LOOKS['Natural']!);
    expect(settings.products.filter(({ on }) => on).map(({ name }) => name)).toEqual([
      'blush',
      'eyeliner',
      'lipstick',
    ]);
    expect(settings.products.find(({ name }) => name === 'lipstick')!.color).toBe('#b4505a');
    wear(settings, LOOKS['None']!);
    expect(settings.products.some(({ on }) => on)).toBe(false);
  });
});
