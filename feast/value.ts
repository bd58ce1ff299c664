import { GranaryError } from '../definitions/errors.js';
import { listItem, type ScalarType, type ValueType } from '../definitions/types.js';
import { ByteWriter } from './byte-writer.js';
import { toInt32, toInt64 } from './integers.js';
import { NOT_A_TIME, secondsOf } from './timestamp.js';

/** Field numbers of the scalars in `feast.types.Value`; a list's is 10 higher. They equal Feast's ValueType numbers. */
export const VALUE_FIELDS = {
  bytes: 1,
  string: 2,
  int32: 3,
  int64: 4,
  float64: 5,
  float32: 6,
  bool: 7,
  timestamp: 8,
} as const satisfies Record<ScalarType, number>;

/** Added to a scalar's field number for the list of that scalar. */
export const LIST_OFFSET = 10;

/** The wire type of a scalar: 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32. */
export const WIRE_TYPES = {
  bytes: 2,
  string: 2,
  int32: 0,
  int64: 0,
  float64: 1,
  float32: 5,
  bool: 0,
  timestamp: 0,
} as const satisfies Record<ScalarType, number>;

/** Appends one value's bytes; NULL appends none. */
export type ValueEncoder = (writer: ByteWriter, value: unknown) => void;

type ItemWriter = (writer: ByteWriter, value: unknown, what: string) => void;

/**
 * An encoder of `feast.types.Value` protobuf (Feast 0.67) for one type; `what` begins the sentence of its errors, such as
 * `The feature user_features:f_last_country`.
 *
 * As in Feast: NULL, NaN and the empty `bytes` are no bytes at all; an explicit 0, `false` or `''` is written; a
 * timestamp keeps whole seconds, rounded towards the past; a NULL inside a list becomes NaN in a list of floats, -2^63
 * seconds in a list of timestamps, else 0, `''` or `false`.
 *
 * The encoder throws GranaryError `ValueOutOfRange` for a value that does not fit: an integer outside its type, a finite
 * number beyond float32, another JavaScript type.
 */
export function valueEncoder(type: ValueType, what: string): ValueEncoder {
  const item = listItem(type);
  return item === undefined ? scalarEncoder(type as ScalarType, what) : listEncoder(item, what);
}

/** The bytes of one value, as {@link valueEncoder} writes them. */
export function encodeValue(type: ValueType, value: unknown, what = 'The value'): Uint8Array {
  const writer = new ByteWriter(32);
  valueEncoder(type, what)(writer, value);
  return writer.take();
}

/**
 * What a value reads back as: itself, but for NaN and empty `bytes` (NULL), a timestamp (whole seconds), a number under
 * float32 (rounded), and NULL in a list of other than timestamps. For comparing what is served with what the offline store says.
 */
export function asStored(type: ValueType, value: unknown): unknown {
  const item = listItem(type);
  if (value === null || value === undefined) return null;
  if (item !== undefined)
    return (value as readonly unknown[]).map((v) => storedItem(item, v ?? NULL_ITEM[item]));
  if (Number.isNaN(value) || (value instanceof Uint8Array && value.length === 0)) return null;
  return storedItem(type as ScalarType, value);
}

/** What Feast's materialize makes of a NULL inside a list. */
const NULL_ITEM: Record<ScalarType, unknown> = {
  bytes: new Uint8Array(),
  string: '',
  int32: 0,
  int64: 0n,
  float64: NaN,
  float32: NaN,
  bool: false,
  timestamp: null,
};

function storedItem(type: ScalarType, value: unknown): unknown {
  if (type === 'timestamp')
    return value === null ? null : secondsOf(toInt64(value, 'The value')) * 1_000_000n;
  if (type === 'int64') return toInt64(value, 'The value');
  return type === 'float32' ? Math.fround(value as number) : value;
}

function scalarEncoder(type: ScalarType, what: string): ValueEncoder {
  const tag = (VALUE_FIELDS[type] << 3) | WIRE_TYPES[type];
  const write = ITEMS[type];
  return (writer, value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return;
    if (type === 'bytes' && value instanceof Uint8Array && value.length === 0) return;
    writer.u8(tag);
    write(writer, value, what);
  };
}

/** A list is a message with the one field `repeated val = 1`, packed where the items are numbers. */
function listEncoder(item: ScalarType, what: string): ValueEncoder {
  const tag = ((VALUE_FIELDS[item] + LIST_OFFSET) << 3) | 2;
  const write = ITEMS[item];
  const packed = WIRE_TYPES[item] !== 2;
  return (writer, value) => {
    if (value === null || value === undefined) return;
    if (!Array.isArray(value)) throw misfit(`list<${item}>`, what);
    writer.varint(tag);
    const message = writer.beginLength();
    if (packed && value.length > 0) {
      writer.u8(0x0a);
      const values = writer.beginLength();
      for (const v of value as readonly unknown[]) write(writer, v ?? NULL_ITEM[item], what);
      writer.endLength(values);
    } else if (!packed) {
      for (const v of value as readonly unknown[]) {
        writer.u8(0x0a);
        write(writer, v ?? NULL_ITEM[item], what);
      }
    }
    writer.endLength(message);
  };
}

const ITEMS: Record<ScalarType, ItemWriter> = {
  bytes(writer, value, what) {
    if (!(value instanceof Uint8Array)) throw misfit('bytes', what);
    writer.varint(value.length);
    writer.raw(value);
  },
  string(writer, value, what) {
    if (typeof value !== 'string') throw misfit('string', what);
    const start = writer.beginLength();
    writer.utf8(value);
    writer.endLength(start);
  },
  int32(writer, value, what) {
    writer.varintNumber(toInt32(value, what));
  },
  int64(writer, value, what) {
    if (typeof value === 'number' && Number.isSafeInteger(value)) writer.varintNumber(value);
    else writer.varintBigint(toInt64(value, what));
  },
  float64(writer, value, what) {
    if (typeof value !== 'number') throw misfit('float64', what);
    writer.f64le(value);
  },
  float32(writer, value, what) {
    if (typeof value !== 'number') throw misfit('float32', what);
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))
      throw new GranaryError(
        'ValueOutOfRange',
        `${what} has the value ${value}, which is beyond float32. Declare it float64.`,
      );
    writer.f32le(value);
  },
  bool(writer, value, what) {
    if (typeof value !== 'boolean') throw misfit('bool', what);
    writer.u8(value ? 1 : 0);
  },
  timestamp(writer, value, what) {
    writer.varintBigint(value === null ? NOT_A_TIME : secondsOf(toInt64(value, what)));
  },
};

function misfit(type: string, what: string): GranaryError {
  return new GranaryError('ValueOutOfRange', `${what} has a value that is not ${type}.`);
}
