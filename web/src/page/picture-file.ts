// Pictures that a user drops or chooses: decoded and shrunk, or refused in one clear line.

import { UserMessage } from './messages';

// Larger ones take gigabytes while they are decoded, and phones close the tab.
const MOST_MEGAPIXELS = 80;
// The longer side of what is shown [px]: more than a screen shows, and quick to paint on.
const SHOWN = 2048;
const HEADER = 256 * 1024; // bytes: JPEG files have their size after the camera's notes and a thumbnail
const HEIC = ['heic', 'heix', 'hevc', 'heim', 'heis', 'hevm', 'hevs', 'mif1', 'msf1'];

/** Reads a picture as it is displayed, at most 2048 px wide and high. */
export async function readPicture(file: File): Promise<ImageBitmap> {
  if (file.size === 0) throw new UserMessage(`${file.name} is empty.`);
  const header = await headerOf(file);
  const size = sizeOf(header);
  const megapixels = size ? (size.width * size.height) / 1e6 : 0;
  if (size && megapixels > MOST_MEGAPIXELS) {
    throw new UserMessage(
      `${file.name} has ${Math.round(megapixels)} megapixels (${size.width} × ${size.height}), more than a browser ` +
        `holds safely. Save it with at most ${MOST_MEGAPIXELS} megapixels and try again.`,
    );
  }
  try {
    const whole = await createImageBitmap(file);
    const share = SHOWN / Math.max(whole.width, whole.height);
    if (share >= 1) return whole;
    const small = await createImageBitmap(whole, {
      resizeWidth: Math.max(1, Math.round(share * whole.width)),
      resizeHeight: Math.max(1, Math.round(share * whole.height)),
      resizeQuality: 'high',
    });
    whole.close();
    return small;
  } catch {
    throw new UserMessage(refusal(file, header));
  }
}

async function headerOf(file: File): Promise<DataView> {
  try {
    return new DataView(await file.slice(0, HEADER).arrayBuffer());
  } catch {
    throw new UserMessage(
      `${file.name} cannot be opened: it is a folder, or no longer where it was. Choose a picture.`,
    );
  }
}

function refusal(file: File, header: DataView): string {
  if (HEIC.includes(brand(header))) {
    return (
      `${file.name} is a HEIC picture, which this browser cannot show. Export it as JPEG; on an iPhone, ` +
      'Settings › Camera › Formats › Most Compatible saves JPEG from now on.'
    );
  }
  if (!sizeOf(header) && !file.type.startsWith('image/')) {
    return `${file.name} is not a picture. Choose a JPEG, PNG, WebP or AVIF file.`;
  }
  return `${file.name} cannot be read: it is damaged, or of a kind that this browser does not show.`;
}

/** The brand of an ISO media file (HEIC, AVIF, MP4). */
function brand(header: DataView): string {
  return text(header, 4, 4) === 'ftyp' ? text(header, 8, 4) : '';
}

interface Size {
  width: number;
  height: number;
}

/** Width and height from the first bytes of a PNG, GIF, WebP, BMP, AVIF, HEIC or JPEG file. */
export function sizeOf(bytes: DataView): Size | undefined {
  try {
    if (bytes.getUint32(0) === 0x89504e47)
      return { width: bytes.getUint32(16), height: bytes.getUint32(20) };
    if (text(bytes, 0, 4) === 'GIF8')
      return { width: bytes.getUint16(6, true), height: bytes.getUint16(8, true) };
    if (text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 4) === 'WEBP') return sizeOfWebp(bytes);
    if (text(bytes, 0, 2) === 'BM')
      return {
        width: Math.abs(bytes.getInt32(18, true)),
        height: Math.abs(bytes.getInt32(22, true)),
      };
    if (brand(bytes)) return largestOf(bytes);
    if (bytes.getUint16(0) === 0xffd8) return sizeOfJpeg(bytes);
  } catch {
    // RangeError: the file is shorter than its header says.
  }
  return undefined;
}

/** The size of the largest picture in an AVIF or HEIC file: beside it are its tiles and a thumbnail. */
function largestOf(bytes: DataView): Size | undefined {
  let largest: Size | undefined;
  for (let at = 0; at + 16 <= bytes.byteLength; at++) {
    if (bytes.getUint32(at) !== 0x69737065) continue; // ispe: version, width, height
    const size = { width: bytes.getUint32(at + 8), height: bytes.getUint32(at + 12) };
    if (!largest || size.width * size.height > largest.width * largest.height) largest = size;
  }
  return largest;
}

function sizeOfWebp(bytes: DataView): Size | undefined {
  const kind = text(bytes, 12, 4);
  if (kind === 'VP8X') {
    const uint24 = (at: number): number =>
      bytes.getUint16(at, true) + 65536 * bytes.getUint8(at + 2);
    return { width: 1 + uint24(24), height: 1 + uint24(27) };
  }
  if (kind === 'VP8L') {
    const bits = bytes.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  if (kind !== 'VP8 ') return undefined;
  return { width: bytes.getUint16(26, true) & 0x3fff, height: bytes.getUint16(28, true) & 0x3fff };
}

function sizeOfJpeg(bytes: DataView): Size | undefined {
  for (let at = 2; at + 9 < bytes.byteLength; at += 2 + bytes.getUint16(at + 2)) {
    const marker = bytes.getUint16(at);
    if (marker >> 8 !== 0xff) return undefined;
    // Start of frame, apart from the tables DHT, JPG and DAC.
    const frame =
      marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (frame) return { width: bytes.getUint16(at + 7), height: bytes.getUint16(at + 5) };
  }
  return undefined;
}

function text(bytes: DataView, at: number, length: number): string {
  if (at + length > bytes.byteLength) return '';
  return String.fromCharCode(...new Uint8Array(bytes.buffer, bytes.byteOffset + at, length));
}
