import { GranaryError } from '../../../definitions/errors.js';
import { ByteWriter } from '../../../feast/byte-writer.js';

/** Object ids of the element types, as in `pg_type`. */
const OIDS = { bytea: 17, int8: 20, text: 25, timestamptz: 1184 } as const;

/** Microseconds from 1970 to 2000, from which Postgres counts. */
const EPOCH_2000 = 946_684_800_000_000n;
/** Postgres holds instants from 4713 BC to the year 294276; the greatest and least numbers mean infinity. */
const MIN_INSTANT = -210_866_803_200_000_000n;
const MAX_INSTANT = 9_224_318_016_000_000_000n;

/**
 * A one-dimensional array as Postgres sends it in binary (`array_send`). `pg` passes a Buffer on as a binary parameter, so
 * that bytes need no hexadecimal and microseconds no text.
 */
export function binaryArray<T>(
  type: keyof typeof OIDS,
  items: readonly T[],
  write: (writer: ByteWriter, item: T) => void,
): Buffer {
  const writer = new ByteWriter(24 + items.length * 16);
  writer.u32be(1);
  // Whether there are NULLs: Postgres looks at the items.
  writer.u32be(0);
  writer.u32be(OIDS[type]);
  writer.u32be(items.length);
  writer.u32be(1);
  for (const item of items) {
    writer.u32be(0xffff_ffff);
    const start = writer.length;
    if (item === null) continue;
    write(writer, item);
    writer.patchU32be(start - 4, writer.length - start);
  }
  return Buffer.from(writer.bytes.buffer, 0, writer.length);
}

/** An array of int8. */
export function int8Array(values: readonly number[]): Buffer {
  return binaryArray('int8', values, (writer, value) => writer.i64be(BigInt(value)));
}

/** An array of timestamptz from microseconds since 1970 in UTC. */
export function timestampArray(values: readonly (bigint | null)[]): Buffer {
  return binaryArray('timestamptz', values, (writer, value) => {
    const micros = value ?? 0n;
    if (micros < MIN_INSTANT || micros >= MAX_INSTANT)
      throw new GranaryError(
        'ValueOutOfRange',
        `The instant ${micros} microseconds from 1970 is outside what Postgres holds (4713 BC to 294276).`,
      );
    writer.i64be(micros - EPOCH_2000);
  });
}

/** An array of bytea. */
export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
  return binaryArray('bytea', values, (writer, value) => writer.raw(value ?? new Uint8Array()));
}

/** An array of text. U+0000 is refused by Postgres. */
export function textArray(values: readonly (string | null)[]): Buffer {
  return binaryArray('text', values, (writer, value) => writer.utf8(value ?? ''));
}
