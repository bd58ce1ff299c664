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
  RecordBatch,
  Schema as ArrowSchema,
  Struct,
  Table,
  TimestampMicrosecond,
  Utf8,
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
  const all: RecordBatch[] = [];
  for await (const batch of recordBatches(batches, schema)) all.push(batch);
  return new Table(arrowSchema(schema), all);
}

/** Rows of a record batch: enough that what comes with each batch does not count. */
const BATCH_ROWS = 32_768;

/** Rows as Arrow record batches, made one by one as they are asked for; the last one may be smaller. */
export async function* recordBatches(
  batches: AsyncIterable<ColumnBatch>,
  schema: Schema,
): AsyncGenerator<RecordBatch> {
  const arrow = arrowSchema(schema);
  let gathered: ColumnBatch[] = [];
  let rows = 0;
  const batch = (): RecordBatch => {
    const made = batchOf(arrow, schema, gathered, rows);
    gathered = [];
    rows = 0;
    return made;
  };
  for await (const one of batches) {
    gathered.push(one);
    rows += one.rows;
    if (rows >= BATCH_ROWS) yield batch();
  }
  if (rows > 0) yield batch();
}

/** A record batch without rows. */
export const emptyBatch = (schema: Schema): RecordBatch => batchOf(arrowSchema(schema), schema, [], 0);

function batchOf(
  arrow: ArrowSchema,
  schema: Schema,
  batches: readonly ColumnBatch[],
  length: number,
): RecordBatch {
  const children = Object.values(schema).map((type, c) => dataOf(type, join(batches, c)));
  return new RecordBatch(arrow, makeData({ type: new Struct(arrow.fields), length, nullCount: 0, children }));
}

/** One column of all batches. In loops, here and below: this runs for every value of a hundred million rows. */
function join(batches: readonly ColumnBatch[], column: number): readonly unknown[] {
  const all: unknown[] = [];
  for (const { rows, columns } of batches) {
    const values = columns[column] ?? [];
    for (let i = 0; i < rows; i++) all.push(values[i]);
  }
  return all;
}

/** The schema of rows in Arrow: every column may be NULL. */
const arrowSchema = (schema: Schema): ArrowSchema =>
  new ArrowSchema(Object.entries(schema).map(([name, type]) => new Field(name, arrowType(type), true)));

/** One column's buffers. Arrow's own builders take timestamps as milliseconds, which loses digits. */
function dataOf(type: ValueType, values: readonly unknown[]): Data {
  const { length } = values;
  let nullCount = 0;
  for (const value of values) if (value === null || value === undefined) nullCount++;
  const nullBitmap = nullCount === 0 ? null : bits(values, (value) => value !== null && value !== undefined);
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
  if (type === 'string')
    return makeData({ ...common, ...texts(values as readonly (string | null)[]) } as never);
  if (type === 'bytes') {
    const parts = values.map((value) => (value ?? NO_BYTES) as Uint8Array);
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

const NO_BYTES = new Uint8Array();

/** All texts are encoded at once: a buffer for each would take longer than the reading. */
function texts(values: readonly (string | null)[]): {
  readonly valueOffsets: Int32Array;
  readonly data: Uint8Array;
} {
  let joined = '';
  for (const value of values) if (value !== null) joined += value;
  const data = new TextEncoder().encode(joined);
  const isAscii = data.length === joined.length;
  const ends = new Int32Array(values.length + 1);
  let end = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? '';
    end += isAscii ? value.length : Buffer.byteLength(value);
    ends[i + 1] = end;
  }
  return { valueOffsets: ends, data };
}

function numbers(type: Exclude<ScalarType, 'string' | 'bytes'>, values: readonly unknown[]): ArrayBufferView {
  switch (type) {
    case 'bool':
      return bits(values, (value) => value === true);
    case 'int32':
      return filled(new Int32Array(values.length), values as readonly (number | null)[]);
    case 'float32':
      return filled(new Float32Array(values.length), values as readonly (number | null)[]);
    case 'float64':
      return filled(new Float64Array(values.length), values as readonly (number | null)[]);
    case 'int64':
    case 'timestamp':
      return filled(new BigInt64Array(values.length), values as readonly (bigint | null)[]);
  }
}

function filled<N extends number | bigint, A extends { [index: number]: N }>(
  array: A,
  values: readonly (N | null)[],
): A {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value !== null && value !== undefined) array[i] = value;
  }
  return array;
}

/** One bit a value, the least significant first. */
function bits(values: readonly unknown[], isSet: (value: unknown) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 8));
  for (let i = 0; i < values.length; i++)
    if (isSet(values[i])) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return bytes;
}

function offsets(lengths: readonly number[]): Int32Array {
  const all = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) all[i + 1] = (all[i] ?? 0) + length;
  return all;
}
