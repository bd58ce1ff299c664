import {
  Binary,
  Bool,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeBuilder,
  Schema as ArrowSchema,
  Table,
  TimestampMicrosecond,
  Utf8,
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

/** All rows as one Arrow table, with Arrow's own types: microseconds in UTC, 64-bit integers, NULL. */
export async function arrowTable(batches: AsyncIterable<ColumnBatch>, schema: Schema): Promise<Table> {
  const columns = Object.entries(schema).map(([name, type]) => ({
    field: new Field(name, arrowType(type), true),
    builder: makeBuilder({ type: arrowType(type), nullValues: [null, undefined] }),
  }));
  for await (const batch of batches)
    columns.forEach(({ builder }, c) => {
      for (const value of batch.columns[c] ?? []) builder.append(value);
    });
  const arrow = new ArrowSchema(columns.map(({ field }) => field));
  return new Table(
    arrow,
    Object.fromEntries(columns.map(({ field, builder }) => [field.name, builder.finish().toVector()])),
  );
}
