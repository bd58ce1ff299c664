import { ByteWriter } from '../../../feast/byte-writer.js';
import type { EntityKeySerializer } from '../../../feast/entity-key.js';
import type { OnlineBatch } from '../provider.js';

/** The rows of a batch that can be stored: one an entity, and what became of the others. */
export interface NewestRows {
  /** Serialized keys, each once. */
  readonly keys: readonly Buffer[];
  /** The row of the batch that each key came from. */
  readonly rows: readonly number[];
  /** Rows that lost against another row of the batch. */
  readonly older: number;
  /** Rows whose order equals that of an earlier row of the batch. */
  readonly unchanged: number;
}

/** Keeps the newest row of each entity, the first among equals: an upsert may touch a row only once. */
export function newestRows(serializer: EntityKeySerializer, batch: OnlineBatch): NewestRows {
  const writer = new ByteWriter(128);
  const newest = new Map<string, { readonly key: Buffer; row: number }>();
  let older = 0;
  let unchanged = 0;
  for (let row = 0; row < batch.rows; row++) {
    writer.reset();
    serializer.write(writer, batch.keys, row);
    const key = Buffer.from(writer.take().buffer);
    const text = key.toString('latin1');
    const known = newest.get(text);
    if (known === undefined) newest.set(text, { key, row });
    else {
      const order = compareOrder(batch, row, known.row);
      if (order === 0) unchanged++;
      else older++;
      if (order > 0) known.row = row;
    }
  }
  const kept = [...newest.values()];
  return { keys: kept.map(({ key }) => key), rows: kept.map(({ row }) => row), older, unchanged };
}

/** Rows of one batch share their promotion. */
function compareOrder(batch: OnlineBatch, a: number, b: number): number {
  return (
    compare(batch.eventTimes[a] ?? 0n, batch.eventTimes[b] ?? 0n) ||
    compare(batch.createdTimes[a] ?? 0n, batch.createdTimes[b] ?? 0n) ||
    compare(batch.generations[a] ?? 0, batch.generations[b] ?? 0)
  );
}

function compare<T extends bigint | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
