import { GranaryError } from '../definitions/errors.js';
import { listItem, type ScalarType, type ValueType } from '../definitions/types.js';
import { ByteReader } from './byte-reader.js';
import { NOT_A_TIME } from './timestamp.js';
import { LIST_OFFSET, VALUE_FIELDS, WIRE_TYPES } from './value.js';

const NULL_FIELD = 19;

/**
 * The value of a `feast.types.Value`, as ColumnBatch holds values of `type`; no bytes are NULL. A narrower number is
 * widened (int32 -> int64, float -> double); a wider one is taken as it is where it fits: while a variant of another width is being
 * promoted, its rows are there before its definition counts.
 * @throws GranaryError `SchemaMismatch` when the bytes are no such message or hold another type; `what` begins the
 * sentence.
 */
export function decodeValue(type: ValueType, bytes: Uint8Array, what = 'The value'): unknown {
  const reader = new ByteReader(bytes);
  // A message may repeat a field of the oneof; the last one counts.
  let value: unknown = null;
  while (!reader.done) value = readField(reader, type, what);
  return value;
}

function readField(reader: ByteReader, type: ValueType, what: string): unknown {
  const tag = reader.size();
  const field = tag >>> 3;
  const wire = tag & 7;
  if (field === NULL_FIELD && wire === 0) {
    reader.varint();
    return null;
  }
  const item = listItem(type);
  if (item !== undefined) {
    if (field !== VALUE_FIELDS[item] + LIST_OFFSET || wire !== 2) throw mismatch(type, field, what);
    return readList(new ByteReader(reader.raw(reader.size())), item, what);
  }
  const scalar = type as ScalarType;
  const stored = storedScalar(scalar, field);
  if (stored === undefined || wire !== WIRE_TYPES[stored]) throw mismatch(type, field, what);
  const value = readScalar(reader, stored);
  if (stored === 'int32' && scalar === 'int64') return BigInt(value as number);
  if (stored !== 'int64' || scalar !== 'int32') return value;
  if (BigInt.asIntN(32, value as bigint) !== value) throw mismatch(type, field, what);
  return Number(value);
}

function storedScalar(type: ScalarType, field: number): ScalarType | undefined {
  if (field === VALUE_FIELDS[type]) return type;
  if (type === 'int64' && field === VALUE_FIELDS.int32) return 'int32';
  if (type === 'int32' && field === VALUE_FIELDS.int64) return 'int64';
  if (type === 'float64' && field === VALUE_FIELDS.float32) return 'float32';
  if (type === 'float32' && field === VALUE_FIELDS.float64) return 'float64';
  return undefined;
}

/** Items of a `repeated val = 1`; numbers may come packed or one by one (a protobuf parser takes both). */
function readList(reader: ByteReader, item: ScalarType, what: string): unknown[] {
  const values: unknown[] = [];
  while (!reader.done) {
    const tag = reader.size();
    if (tag === 0x0a && WIRE_TYPES[item] !== 2) {
      const size = reader.size();
      const end = reader.skip(size) + size;
      reader.at = end - size;
      while (reader.at < end) values.push(readScalar(reader, item));
    } else if (tag === (8 | WIRE_TYPES[item])) values.push(readScalar(reader, item));
    else throw mismatch(`list<${item}>`, tag >>> 3, what);
  }
  return values;
}

function readScalar(reader: ByteReader, type: ScalarType): unknown {
  switch (type) {
    case 'bytes':
      return reader.raw(reader.size());
    case 'string':
      return reader.utf8(reader.size());
    case 'int32':
      return Number(BigInt.asIntN(32, reader.varint()));
    case 'int64':
      return BigInt.asIntN(64, reader.varint());
    case 'float64':
      return reader.f64le();
    case 'float32':
      return reader.f32le();
    case 'bool':
      return reader.varint() !== 0n;
    case 'timestamp': {
      const seconds = BigInt.asIntN(64, reader.varint());
      return seconds === NOT_A_TIME ? null : seconds * 1_000_000n;
    }
    default:
      return type satisfies never;
  }
}

function mismatch(type: string, field: number, what: string): GranaryError {
  return new GranaryError(
    'SchemaMismatch',
    `${what} is declared ${type}, but the store holds Feast's Value field ${field} for it.`,
  );
}
