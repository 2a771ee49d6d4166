import { describe, expect, it } from 'vitest';
import { readPicture, sizeOf } from '../src/page/picture-file';

function bytes(...parts: (string | number[])[]): DataView {
  const flat = parts.flatMap((part) =>
    typeof part === 'string' ? [...part].map((letter) => letter.charCodeAt(0)) : part,
  );
  return new DataView(Uint8Array.from([...flat, ...new Array<number>(32).fill(0)]).buffer);
}

describe('the size of a picture from its first bytes', () => {
  it('reads PNG, GIF and the three kinds of WebP', () => {
    const png = bytes(
      [0x89],
      'PNG\r\n\x1a\n',
      [0, 0, 0, 13],
      'IHDR',
      [0, 0, 0x27, 0x10, 0, 0, 0x1f, 0x40],
    );
    expect(sizeOf(png)).toEqual({ width: 10000, height: 8000 });
    expect(sizeOf(bytes('GIF89a', [0x2c, 1, 0xc8, 0]))).toEqual({ width: 300, height: 200 });
    const webp = (kind: string, ...rest: number[]): DataView =>
      bytes('RIFF', [0, 0, 0, 0], `WEBP${kind}`, [0, 0, 0, 0], rest);
    expect(sizeOf(webp('VP8X', 0, 0, 0, 0, 0x0f, 0x27, 0, 0x3f, 0x1f, 0))).toEqual({
      width: 10000,
      height: 8000,
    });
    expect(sizeOf(webp('VP8L', 0x2f, 0x2b, 0xc1, 0x31, 0))).toEqual({ width: 300, height: 200 });
    expect(sizeOf(webp('VP8 ', 0, 0, 0, 0x9d, 1, 0x2a, 0x2c, 1, 0xc8, 0))).toEqual({
      width: 300,
      height: 200,
    });
  });

  it('reads BMP, and the largest picture in AVIF and HEIC', () => {
    const bmp = bytes('BM', new Array<number>(16).fill(0), [0x2c, 1, 0, 0, 0x38, 0xff, 0xff, 0xff]);
    expect(sizeOf(bmp)).toEqual({ width: 300, height: 200 }); // from the top: a negative height
    const picture = (...size: number[]): (string | number[])[] => ['ispe', [0, 0, 0, 0, ...size]];
    const [tile, whole] = [
      picture(0, 0, 2, 0, 0, 0, 2, 0),
      picture(0, 0, 0x27, 0x10, 0, 0, 0x1f, 0x40),
    ];
    for (const brand of ['heic', 'avif']) {
      const file = bytes([0, 0, 0, 24], `ftyp${brand}`, ...tile, ...whole, ...tile);
      expect(sizeOf(file)).toEqual({ width: 10000, height: 8000 });
    }
    expect(sizeOf(bytes([0, 0, 0, 24], 'ftypmp42'))).toBeUndefined();
  });

  it('reads JPEG past notes, and neither tables nor damage', () => {
    const notes = [0xff, 0xe1, 0, 6, 1, 2, 3, 4, 0xff, 0xc4, 0, 4, 9, 9];
    const frame = [0xff, 0xc2, 0, 17, 8, 0, 200, 1, 0x2c];
    expect(sizeOf(bytes([0xff, 0xd8], notes, frame))).toEqual({ width: 300, height: 200 });
    expect(sizeOf(bytes([0xff, 0xd8, 0, 0, 0, 0]))).toBeUndefined();
    expect(sizeOf(new DataView(new ArrayBuffer(3)))).toBeUndefined();
    expect(sizeOf(bytes('%PDF-1.7'))).toBeUndefined();
  });
});

it('says that a folder is no picture', async () => {
  const folder = new File(['4096 bytes, as the browser says'], 'holidays');
  folder.slice = () =>
    Object.assign(new Blob(), {
      arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotFoundError')),
    });
  await expect(readPicture(folder)).rejects.toThrow('holidays cannot be opened: it is a folder');
});
