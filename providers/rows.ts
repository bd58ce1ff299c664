import { Timestamp } from '../definitions/timestamp.js';
import type { Row, Schema, ValueType } from '../definitions/types.js';
import type { ColumnBatch } from './columns.js';

/** Streams batches as row objects with the values that users see: timestamps are {@link Timestamp}. */
export async function* rowsOf<S extends Schema>(
  batches: AsyncIterable<ColumnBatch>,
  schema: S,
): AsyncGenerator<Row<S>> {
  const columns = Object.entries(schema).map(([name, type]) => ({ name, read: reader(type) }));
  for await (const batch of batches)
    for (let i = 0; i < batch.rows; i++)
      yield Object.fromEntries(
        columns.map(({ name, read }, c) => [name, read(batch.columns[c]?.[i])]),
      ) as Row<S>;
}

/** Turns a value of a column batch into the one that users see. */
export function reader(type: ValueType): (value: unknown) => unknown {
  if (type === 'timestamp')
    return (value) => (value === null || value === undefined ? null : new Timestamp(value as bigint));
  if (type === 'list<timestamp>')
    return (value) =>
      Array.isArray(value)
        ? value.map((item: unknown) => (item === null ? null : new Timestamp(item as bigint)))
        : null;
  return (value) => value ?? null;
}
