import {
  Binary,
  Bool,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  Schema as ArrowSchema,
  Table,
  TimestampMicrosecond,
  Utf8,
  Vector,
  type Data,
  type DataType,
} from 'apache-arrow';
import { listItem, type ScalarType, type Schema, type ValueType } from '../definitions/types.js';
import type { ColumnBatch } from '../providers/columns.js';

const SCALARS: Readonly<Record<ScalarType, () => DataType>> = {
  bool: () => new Bool(),
  int32: () => new Int32(),
  int64: () => new Int64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  string: () => new Utf8(),
  bytes: () => new Binary(),
  timestamp: () => new TimestampMicrosecond('UTC'),
};

function arrowType(type: ValueType): DataType {
  const item = listItem(type);
  return item === undefined
    ? SCALARS[type as ScalarType]()
    : new List(new Field('item', SCALARS[item](), true));
}

/** All rows as one Arrow table, a chunk a batch: 64-bit integers, microseconds in UTC, NULL. */
export async function arrowTable(batches: AsyncIterable<ColumnBatch>, schema: Schema): Promise<Table> {
  const columns = Object.entries(schema).map(([name, type]) => ({ name, type, chunks: [] as Data[] }));
  for await (const batch of batches)
    columns.forEach(({ type, chunks }, c) => chunks.push(dataOf(type, batch.columns[c] ?? [])));
  const fields = columns.map(({ name, type }) => new Field(name, arrowType(type), true));
  const vectors = columns.map(({ name, type, chunks }) => [
    name,
    new Vector(chunks.length > 0 ? chunks : [dataOf(type, [])]),
  ]);
  return new Table(new ArrowSchema(fields), Object.fromEntries(vectors) as Record<string, Vector>);
}

/** One column's buffers. Arrow's own builders take timestamps as milliseconds, which loses digits. */
function dataOf(type: ValueType, values: readonly unknown[]): Data {
  const { length } = values;
  const nullBitmap = bits(values.map((value) => value !== null && value !== undefined));
  const nullCount = values.filter((value) => value === null || value === undefined).length;
  const common = { type: arrowType(type), length, nullCount, nullBitmap };
  const item = listItem(type);
  if (item !== undefined) {
    const lists = values.map((value) => (value ?? []) as readonly unknown[]);
    return makeData({
      ...common,
      valueOffsets: offsets(lists.map((list) => list.length)),
      child: dataOf(item, lists.flat()),
    } as never);
  }
  if (type === 'string' || type === 'bytes') {
    const parts = values.map((value) => Buffer.from((value ?? '') as string | Uint8Array));
    return makeData({
      ...common,
      valueOffsets: offsets(parts.map((part) => part.length)),
      data: new Uint8Array(Buffer.concat(parts)),
    } as never);
  }
  return makeData({
    ...common,
    data: numbers(type as Exclude<ScalarType, 'string' | 'bytes'>, values),
  } as never);
}

function numbers(type: Exclude<ScalarType, 'string' | 'bytes'>, values: readonly unknown[]): ArrayBufferView {
  const filled = <T>(zero: T): T[] => values.map((value) => (value ?? zero) as T);
  switch (type) {
    case 'bool':
      return bits(values.map((value) => value === true));
    case 'int32':
      return Int32Array.from(filled(0));
    case 'float32':
      return Float32Array.from(filled(0));
    case 'float64':
      return Float64Array.from(filled(0));
    case 'int64':
    case 'timestamp':
      return BigInt64Array.from(filled(0n));
  }
}

/** One bit a value, the least significant first. */
function bits(values: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 8));
  for (const [i, value] of values.entries()) if (value) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return bytes;
}

function offsets(lengths: readonly number[]): Int32Array {
  const all = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) all[i + 1] = (all[i] ?? 0) + length;
  return all;
}
