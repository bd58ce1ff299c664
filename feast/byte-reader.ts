import { GranaryError } from '../definitions/errors.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads bytes front to back: protobuf fields and Feast's entity keys. Throws `SchemaMismatch` past the end. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    // A Node Buffer's slice() would share its memory.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Moves past `count` bytes and returns where they began. */
  skip(count: number): number {
    const from = this.at;
    if (count < 0 || from + count > this.bytes.length)
      throw new GranaryError('SchemaMismatch', 'Stored bytes end too early: they are not what Feast writes.');
    this.at = from + count;
    return from;
  }

  u32le(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  i32le(): number {
    return this.#view.getInt32(this.skip(4), true);
  }

  i64le(): bigint {
    return this.#view.getBigInt64(this.skip(8), true);
  }

  f32le(): number {
    return this.#view.getFloat32(this.skip(4), true);
  }

  f64le(): number {
    return this.#view.getFloat64(this.skip(8), true);
  }

  /** A copy, so that a value does not keep a whole reply in memory. */
  raw(count: number): Uint8Array {
    const from = this.skip(count);
    return this.bytes.slice(from, from + count);
  }

  utf8(count: number): string {
    const from = this.skip(count);
    try {
      return decoder.decode(this.bytes.subarray(from, from + count));
    } catch (cause) {
      throw new GranaryError('SchemaMismatch', 'A stored text is not UTF-8.', { cause });
    }
  }

  /** A protobuf varint as an unsigned 64-bit number. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.skip(1)] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new GranaryError('SchemaMismatch', 'A stored number is longer than a protobuf varint may be.');
  }

  /** A protobuf varint that must be small: a tag or a length. */
  size(): number {
    return Number(this.varint());
  }
}
