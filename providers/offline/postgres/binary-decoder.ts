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

const EMPTY: Buffer = Buffer.alloc(0);

/** Reads a value of so many bytes. */
type Read = (view: DataView, at: number, length: number, data: Buffer) => unknown;

/**
 * Decodes binary COPY into columns, without an object a row. The columns must have the SQL types of column-types.ts; values come out as
 * providers/columns.ts states them. A message may end anywhere.
 */
export class BinaryDecoder {
  readonly #reads: readonly Read[];
  #columns: unknown[][];
  #rows = 0;
  #rest: Buffer = EMPTY;
  #data: Buffer = EMPTY;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #started = false;
  #ended = false;

  /** `subject` is for messages: `source transactions`. */
  constructor(columns: readonly { readonly name: string; readonly type: ValueType }[], subject: string) {
    this.#reads = columns.map(({ name, type }) => readerOf(type, `${subject}, column "${name}"`));
    this.#columns = columns.map(() => []);
  }

  /**
   * Decodes the message in `data` from `from` to `to`; batches that are full go to `out`.
   * @throws GranaryError `ValueOutOfRange` for an infinite timestamp.
   */
  push(message: Buffer, from: number, to: number, out: ColumnBatch[]): void {
    // The server sends whole rows: what is left over is the exception.
    const joined = this.#rest.length > 0;
    const data = joined ? Buffer.concat([this.#rest, message.subarray(from, to)]) : message;
    const end = joined ? data.length : to;
    if (data !== this.#data) {
      this.#data = data;
      this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    }
    let at = joined ? 0 : from;
    if (!this.#started) at = this.#skipHeader(data, at, end);
    while (!this.#ended && at < end) {
      const next = this.#row(at, end);
      if (next < 0) break;
      at = next;
      if (this.#rows === ROWS) this.finish(out);
    }
    this.#rest = at < end ? Buffer.from(data.subarray(at, end)) : EMPTY;
  }

  /** Hands the rows out that fill no batch. */
  finish(out: ColumnBatch[]): void {
    if (this.#rows === 0) return;
    out.push({ rows: this.#rows, columns: this.#columns });
    this.#columns = this.#reads.map(() => []);
    this.#rows = 0;
  }

  /** Where the first row begins; where the header begins while it is not there as a whole. */
  #skipHeader(data: Buffer, from: number, end: number): number {
    if (end - from < FILE_HEADER) return from;
    const start = from + FILE_HEADER + data.readInt32BE(from + SIGNATURE + 4);
    if (end < start) return from;
    this.#started = true;
    return start;
  }

  /** Decodes the row at `at`; resolves to its end, or -1 when it is not there as a whole. */
  #row(at: number, end: number): number {
    if (!this.#started || end - at < 2) return -1;
    const view = this.#view;
    const count = view.getInt16(at);
    if (count === -1) {
      this.#ended = true;
      return at + 2;
    }
    if (!isWhole(view, at + 2, count, end)) return -1;
    let place = at + 2;
    for (let i = 0; i < count; i++) {
      const length = view.getInt32(place);
      place += 4;
      if (length === NULL) this.#columns[i]?.push(null);
      else {
        this.#columns[i]?.push(this.#reads[i]?.(view, place, length, this.#data));
        place += length;
      }
    }
    this.#rows++;
    return place;
  }
}

function isWhole(view: DataView, start: number, count: number, end: number): boolean {
  let at = start;
  for (let i = 0; i < count; i++) {
    if (end - at < 4) return false;
    const length = view.getInt32(at);
    at += 4 + (length === NULL ? 0 : length);
  }
  return at <= end;
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
      return (view, at) => view.getUint8(at) !== 0;
    case 'int32':
      return (view, at) => view.getInt32(at);
    case 'int64':
      return (view, at) => view.getBigInt64(at);
    case 'float32':
      return (view, at) => view.getFloat32(at);
    case 'float64':
      return (view, at) => view.getFloat64(at);
    case 'string':
      return (_, at, length, data) => data.toString('utf8', at, at + length);
    case 'bytes':
      // A copy: the message's memory is the socket's.
      return (_, at, length, data) => new Uint8Array(data.subarray(at, at + length));
    case 'timestamp':
      return (view, at) => {
        const micros = view.getBigInt64(at);
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
  return (view, at, _length, data) => {
    const dimensions = view.getInt32(at);
    if (dimensions === 0) return [];
    if (dimensions > 1)
      throw new GranaryError(
        'ValueOutOfRange',
        `${place} holds an array of ${dimensions} dimensions; a list has one.`,
      );
    const count = view.getInt32(at + 12);
    const items: unknown[] = [];
    let next = at + 20;
    for (let i = 0; i < count; i++) {
      const length = view.getInt32(next);
      next += 4;
      items.push(length === NULL ? null : read(view, next, length, data));
      if (length !== NULL) next += length;
    }
    return items;
  };
}
