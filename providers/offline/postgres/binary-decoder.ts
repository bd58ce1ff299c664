import { GranaryError } from '../../../definitions/errors.js';
import { listItem, type ScalarType, type ValueType } from '../../../definitions/types.js';
import type { ColumnBatch } from '../../columns.js';

const ROWS = 2048;
/** `PGCOPY\n\377\r\n\0`, flags, and the length of what follows the header. */
const SIGNATURE = 11;
const FILE_HEADER = 19;
const NULL = -1;

/** Microseconds from 1970 to 2000, from which Postgres counts. */
const EPOCH_2000 = 946_684_800_000_000n;
const INFINITY = 2n ** 63n - 1n;
const MINUS_INFINITY = -(2n ** 63n);

/** Reads a value of so many bytes. */
type Read = (data: Buffer, at: number, length: number) => unknown;

/**
 * Decodes binary COPY into columns, without an object a row. The columns must have the SQL types of column-types.ts; values come out as
 * providers/columns.ts states them. A message may end anywhere.
 */
export class BinaryDecoder {
  readonly #reads: readonly Read[];
  #columns: unknown[][];
  #rows = 0;
  #rest: Buffer = Buffer.alloc(0);
  #started = false;
  #ended = false;

  /** `subject` is for messages: `source transactions`. */
  constructor(columns: readonly { readonly name: string; readonly type: ValueType }[], subject: string) {
    this.#reads = columns.map(({ name, type }) => readerOf(type, `${subject}, column "${name}"`));
    this.#columns = columns.map(() => []);
  }

  /**
   * Decodes a message; batches that are full go to `out`.
   * @throws GranaryError `ValueOutOfRange` for an infinite timestamp.
   */
  push(message: Buffer, out: ColumnBatch[]): void {
    const data = this.#rest.length === 0 ? message : Buffer.concat([this.#rest, message]);
    let at = this.#started ? 0 : this.#skipHeader(data);
    while (at >= 0 && !this.#ended) {
      const end = this.#row(data, at);
      if (end < 0) break;
      at = end;
      if (this.#rows === ROWS) this.finish(out);
    }
    this.#rest = data.subarray(Math.max(at, 0));
  }

  /** Hands the rows out that fill no batch. */
  finish(out: ColumnBatch[]): void {
    if (this.#rows === 0) return;
    out.push({ rows: this.#rows, columns: this.#columns });
    this.#columns = this.#reads.map(() => []);
    this.#rows = 0;
  }

  /** Where the first row begins; -1 while it is not there. */
  #skipHeader(data: Buffer): number {
    if (data.length < FILE_HEADER) return -1;
    const start = FILE_HEADER + data.readInt32BE(SIGNATURE + 4);
    if (data.length < start) return -1;
    this.#started = true;
    return start;
  }

  /** Decodes the row at `at`; resolves to its end, or -1 when it is not there as a whole. */
  #row(data: Buffer, at: number): number {
    if (data.length - at < 2) return -1;
    const count = data.readInt16BE(at);
    if (count === -1) {
      this.#ended = true;
      return at + 2;
    }
    if (!isWhole(data, at + 2, count)) return -1;
    let place = at + 2;
    for (let i = 0; i < count; i++) {
      const length = data.readInt32BE(place);
      place += 4;
      if (length === NULL) this.#columns[i]?.push(null);
      else {
        this.#columns[i]?.push(this.#reads[i]?.(data, place, length));
        place += length;
      }
    }
    this.#rows++;
    return place;
  }
}

function isWhole(data: Buffer, start: number, count: number): boolean {
  let at = start;
  for (let i = 0; i < count; i++) {
    if (data.length - at < 4) return false;
    const length = data.readInt32BE(at);
    at += 4 + (length === NULL ? 0 : length);
  }
  return at <= data.length;
}

function readerOf(type: ValueType, place: string): Read {
  const item = listItem(type);
  return item === undefined
    ? scalarReader(type as ScalarType, place)
    : listReader(scalarReader(item, place), place);
}

function scalarReader(type: ScalarType, place: string): Read {
  switch (type) {
    case 'bool':
      return (data, at) => data[at] !== 0;
    case 'int32':
      return (data, at) => data.readInt32BE(at);
    case 'int64':
      return (data, at) => data.readBigInt64BE(at);
    case 'float32':
      return (data, at) => data.readFloatBE(at);
    case 'float64':
      return (data, at) => data.readDoubleBE(at);
    case 'string':
      return (data, at, length) => data.toString('utf8', at, at + length);
    case 'bytes':
      // A copy: the message's memory is the socket's.
      return (data, at, length) => new Uint8Array(data.subarray(at, at + length));
    case 'timestamp':
      return (data, at) => {
        const micros = data.readBigInt64BE(at);
        if (micros === INFINITY || micros === MINUS_INFINITY)
          throw new GranaryError(
            'ValueOutOfRange',
            `${place} is ${micros < 0n ? '-infinity' : 'infinity'}, which is no instant. Leave such rows out (in a view or in the SQL), or write NULL.`,
          );
        return micros + EPOCH_2000;
      };
  }
}

/** Dimensions, whether there are NULLs, the items' type; then length and lower bound a dimension; then the items. */
function listReader(read: Read, place: string): Read {
  return (data, at) => {
    const dimensions = data.readInt32BE(at);
    if (dimensions === 0) return [];
    if (dimensions > 1)
      throw new GranaryError(
        'ValueOutOfRange',
        `${place} holds an array of ${dimensions} dimensions; a list has one.`,
      );
    const count = data.readInt32BE(at + 12);
    const items: unknown[] = [];
    let next = at + 20;
    for (let i = 0; i < count; i++) {
      const length = data.readInt32BE(next);
      next += 4;
      items.push(length === NULL ? null : read(data, next, length));
      if (length !== NULL) next += length;
    }
    return items;
  };
}
