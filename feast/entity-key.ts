import { GranaryError } from '../definitions/errors.js';
import type { EntityKeyVersion } from '../definitions/provider.js';
import type { ScalarType } from '../definitions/types.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { toInt32, toInt64 } from './integers.js';
import { secondsOf } from './timestamp.js';

/** A join key: the column's name and type. The type is part of the key's bytes: INT32 1 and INT64 1 differ. */
export interface JoinKey {
  readonly name: string;
  readonly type: ScalarType;
}

/** Feast's ValueType numbers of the types that a join key may have. */
const KEY_TYPES = { bytes: 1, string: 2, int32: 3, int64: 4, timestamp: 8 } as const;
type KeyType = keyof typeof KEY_TYPES;

/**
 * Serializes entity keys as Feast does (`entity_key_serialization_version`, Feast 0.67 `key_encoding_utils.py`): in version 3 the
 * count, the names sorted by their UTF-8 bytes, then the values in that order, all integers little-endian. Version 2 has no count, and its names
 * have no lengths.
 */
export class EntityKeySerializer {
  readonly #columns: readonly { readonly name: string; readonly type: KeyType; readonly index: number }[];
  readonly #head: Uint8Array;

  /** @throws GranaryError `InvalidDefinition` for a type that cannot be a join key, no keys, or a name given twice. */
  constructor(joinKeys: readonly JoinKey[], version: EntityKeyVersion = 3) {
    if (joinKeys.length === 0)
      throw new GranaryError('InvalidDefinition', 'An entity needs at least one join key.');
    const encoder = new TextEncoder();
    const columns = joinKeys.map(({ name, type }, index) => ({
      name,
      type: keyType(name, type),
      index,
      utf8: encoder.encode(name),
    }));
    columns.sort((a, b) => compareBytes(a.utf8, b.utf8));
    const writer = new ByteWriter();
    if (version === 3) writer.u32le(columns.length);
    columns.forEach(({ name, utf8 }, i) => {
      if (columns[i + 1]?.name === name)
        throw new GranaryError('InvalidDefinition', `The join key "${name}" is declared twice.`);
      writer.u32le(KEY_TYPES.string);
      if (version === 3) writer.u32le(utf8.length);
      writer.raw(utf8);
    });
    this.#columns = columns;
    this.#head = writer.take();
  }

  /**
   * Appends one entity's key. `columns[i]` holds the values of the i-th join key as it was given; see ColumnBatch.
   * @throws GranaryError `NullKey`, or `ValueOutOfRange` when a value does not fit its type.
   */
  write(writer: ByteWriter, columns: readonly (readonly unknown[])[], row: number): void {
    writer.raw(this.#head);
    for (const { name, type, index } of this.#columns)
      writeColumn(writer, name, type, columns[index]?.[row], row);
  }

  /** Appends one entity's key from its values in the join keys' order. @throws as {@link write}. */
  writeValues(writer: ByteWriter, values: readonly unknown[]): void {
    writer.raw(this.#head);
    for (const { name, type, index } of this.#columns) writeColumn(writer, name, type, values[index], 0);
  }

  /** One entity's key from its values in the join keys' order. */
  serialize(values: readonly unknown[]): Uint8Array {
    const writer = new ByteWriter();
    this.writeValues(writer, values);
    return writer.take();
  }
}

function writeColumn(writer: ByteWriter, name: string, type: KeyType, value: unknown, row: number): void {
  if (value === null || value === undefined)
    throw new GranaryError('NullKey', `The join key "${name}" is NULL in row ${row} of the batch.`, {
      details: { joinKey: name, row },
    });
  writer.u32le(KEY_TYPES[type]);
  writeKeyValue(writer, type, value, name);
}

/** The join keys and values of a serialized key of version 3 (in its sorted order), and the bytes after it: in Redis the project. */
export function parseEntityKey(bytes: Uint8Array): {
  readonly keys: readonly (JoinKey & { readonly value: unknown })[];
  readonly rest: Uint8Array;
} {
  const reader = new ByteReader(bytes);
  const names: string[] = [];
  for (let count = reader.u32le(); count > 0; count--) {
    reader.u32le();
    names.push(reader.utf8(reader.u32le()));
  }
  const keys = names.map((name) => ({ name, ...readKeyValue(reader) }));
  return { keys, rest: reader.bytes.slice(reader.at) };
}

function keyType(name: string, type: ScalarType): KeyType {
  if (Object.hasOwn(KEY_TYPES, type)) return type as KeyType;
  throw new GranaryError(
    'InvalidDefinition',
    `The join key "${name}" is ${type}; a join key must be string, int64, int32, bytes or timestamp.`,
  );
}

function writeKeyValue(writer: ByteWriter, type: KeyType, value: unknown, name: string): void {
  const what = `The join key "${name}"`;
  switch (type) {
    case 'int64':
      writer.u32le(8);
      return writer.i64le(toInt64(value, what));
    case 'int32':
      writer.u32le(4);
      return writer.u32le(toInt32(value, what));
    case 'timestamp':
      writer.u32le(8);
      return writer.i64le(secondsOf(toInt64(value, what)));
    case 'string': {
      if (typeof value !== 'string') throw misfit(what, type);
      writer.u32le(0);
      const start = writer.length;
      writer.utf8(value);
      return writer.patchU32le(start - 4, writer.length - start);
    }
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw misfit(what, type);
      writer.u32le(value.length);
      return writer.raw(value);
    default:
      throw misfit(what, type satisfies never);
  }
}

/** A type, a size and a value, as they stand in a key. @throws GranaryError `SchemaMismatch`. */
export function readKeyValue(reader: ByteReader): { type: ScalarType; value: unknown } {
  const tag = reader.u32le();
  const size = reader.u32le();
  switch (tag) {
    case KEY_TYPES.bytes:
      return { type: 'bytes', value: reader.raw(size) };
    case KEY_TYPES.string:
      return { type: 'string', value: reader.utf8(size) };
    case KEY_TYPES.int32:
      return { type: 'int32', value: reader.i32le() };
    case KEY_TYPES.int64:
      return { type: 'int64', value: reader.i64le() };
    case KEY_TYPES.timestamp:
      return { type: 'timestamp', value: reader.i64le() * 1_000_000n };
    default:
      throw new GranaryError('SchemaMismatch', `A stored entity key has a value of the unknown type ${tag}.`);
  }
}

function misfit(what: string, type: string): GranaryError {
  return new GranaryError('ValueOutOfRange', `${what} has a value that is not ${type}.`);
}

/** Order of byte strings as unsigned bytes, a prefix first: the order of Unicode code points, unlike JavaScript's own. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
