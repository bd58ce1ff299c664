const TWO_32 = 4_294_967_296;
const encoder = new TextEncoder();

/**
 * A growable byte buffer that is written front to back and reused: the hot path into an online store writes every value
 * of a batch into one of these, without an allocation a value.
 */
export class ByteWriter {
  /** The bytes; only the first `length` are written. Replaced when it grows. */
  bytes: Uint8Array;
  /** Number of bytes written; also the position of the next one. */
  length = 0;
  #view: DataView;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.length = 0;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32le(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** Overwrites 4 bytes that were written before, at `position`. */
  patchU32le(position: number, value: number): void {
    this.#view.setUint32(position, value, true);
  }

  patchU32be(position: number, value: number): void {
    this.#view.setUint32(position, value, false);
  }

  u32be(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.length, value, false);
    this.length += 4;
  }

  /** 64-bit two's complement, little-endian. */
  i64le(value: bigint): void {
    this.reserve(8);
    this.#view.setBigInt64(this.length, value, true);
    this.length += 8;
  }

  /** 64-bit two's complement, big-endian. */
  i64be(value: bigint): void {
    this.reserve(8);
    this.#view.setBigInt64(this.length, value, false);
    this.length += 8;
  }

  f32le(value: number): void {
    this.reserve(4);
    this.#view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  f64le(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** UTF-8, without a length. A lone surrogate becomes U+FFFD. */
  utf8(text: string): void {
    const size = text.length;
    this.reserve(size * 3);
    const { bytes } = this;
    let at = this.length;
    // Names, codes and ids are short and ASCII; the call into TextEncoder costs more than they do.
    if (size <= 48) {
      let i = 0;
      for (; i < size; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0x7f) break;
        bytes[at++] = unit;
      }
      if (i === size) {
        this.length = at;
        return;
      }
    }
    this.length += encoder.encodeInto(text, bytes.subarray(this.length)).written;
  }

  /** A protobuf varint of an unsigned number below 2^32. */
  varint(value: number): void {
    this.reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A protobuf varint of a 64-bit number in two halves; a negative one takes 10 bytes. */
  varint64(high: number, low: number): void {
    this.reserve(10);
    let hi = high >>> 0;
    let lo = low >>> 0;
    while (hi > 0 || lo > 0x7f) {
      this.bytes[this.length++] = (lo & 0x7f) | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    this.bytes[this.length++] = lo;
  }

  /** A protobuf varint of a whole number within +-2^53, as a signed 64-bit number. */
  varintNumber(value: number): void {
    if (value >= 0 && value < TWO_32) this.varint(value);
    else this.varint64(Math.floor(value / TWO_32), value);
  }

  /** A protobuf varint of a signed 64-bit number. */
  varintBigint(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) this.varintNumber(number);
    else this.varint64(Number(BigInt.asUintN(32, value >> 32n)), Number(BigInt.asUintN(32, value)));
  }

  /** Begins a length-delimited protobuf field; hand the result to {@link endLength}. One byte is kept for the length. */
  beginLength(): number {
    this.u8(0);
    return this.length;
  }

  /** Ends a length-delimited field: writes its length before it, moving the contents where one byte does not do. */
  endLength(start: number): void {
    const size = this.length - start;
    if (size < 0x80) {
      this.bytes[start - 1] = size;
      return;
    }
    let extra = 0;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) extra++;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.length);
    this.length = start - 1;
    this.varint(size);
    this.length += size;
  }
}
