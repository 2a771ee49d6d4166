/** Reads safetensors files: the length of a header, the header as JSON, then the numbers. */

interface Entry {
  dtype: string;
  data_offsets: [number, number];
}

/** The arrays of a file. */
export class Safetensors {
  readonly #header: Record<string, Entry>;
  readonly #numbers: Uint8Array<ArrayBuffer>;
  /** What the file says of itself. */
  readonly metadata: Readonly<Record<string, string>>;

  /** @throws Error The content is no such file. */
  constructor(content: Uint8Array<ArrayBuffer>) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const length = Number(view.getBigUint64(0, true));
    const text = new TextDecoder().decode(content.subarray(8, 8 + length));
    const { __metadata__: metadata = {}, ...header } = JSON.parse(text) as Record<string, Entry> & {
      __metadata__?: Record<string, string>;
    };
    this.metadata = metadata;
    this.#header = header;
    this.#numbers = content.subarray(8 + length);
  }

  has(name: string): boolean {
    return name in this.#header;
  }

  /** The numbers of an array, row after row. */
  array(name: string): Float32Array {
    const entry = this.#header[name];
    if (!entry) throw new Error(`no array '${name}'`);
    const bytes = this.#numbers.slice(...entry.data_offsets).buffer;
    if (entry.dtype === 'F32') return new Float32Array(bytes);
    if (entry.dtype === 'F16') return Float32Array.from(new Uint16Array(bytes), fromHalf);
    throw new Error(`'${name}' has numbers of the kind ${entry.dtype}`);
  }
}

/** A number in half precision: a sign, 5 bits of exponent, 10 of fraction. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
