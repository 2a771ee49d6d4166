import { describe, expect, it } from 'vitest';
import { AmeshError } from '../src/lib/errors';
import { cameraLine, line, UserMessage } from '../src/page/messages';

const thrown = (name: string): Error => Object.assign(new Error('x'), { name });

describe('messages', () => {
  it('name what happened to the camera', () => {
    expect(cameraLine(thrown('NotAllowedError'))).toContain('blocked');
    expect(cameraLine(thrown('NotFoundError'))).toContain('No camera');
    expect(cameraLine(thrown('NotReadableError'))).toContain('in use');
    expect(cameraLine(thrown('SecurityError'))).toContain('may not use');
  });

  it('pass lines for users on as sentences, and mark the rest as unexpected', () => {
    expect(line(new UserMessage('No.'))).toBe('No.');
    expect(line(new AmeshError('model', 'models/x is damaged'))).toBe('models/x is damaged.');
    expect(line(new AmeshError('option', 'this is closed'))).toBe('This is closed.');
    expect(line(new TypeError('a is undefined'))).toContain('unexpected');
  });
});
