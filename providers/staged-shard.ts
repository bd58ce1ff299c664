import type { ScalarType, ValueType } from '../definitions/types.js';
import type { ColumnBatch } from './columns.js';
import { STAGED_COLUMNS, type FileRelation } from './offline/provider.js';
import type { OnlineBatch, OnlineView } from './online/provider.js';

/** A staged shard on this machine's disk as a relation to stream. */
export function shardRelation(
  view: OnlineView,
  file: { readonly name: string; readonly path: string; readonly uri: string },
): FileRelation {
  return {
    name: file.name,
    format: 'parquet',
    files: [{ path: file.path, uri: file.uri, generation: 0 }],
    schema: Object.fromEntries<ValueType>([
      ...view.joinKeys.map(({ name, type }): [string, ScalarType] => [name, type]),
      ...view.features.map(({ name, type }): [string, ValueType] => [name, type]),
      [STAGED_COLUMNS.eventTime, 'int64'],
      [STAGED_COLUMNS.createdTime, 'int64'],
      [STAGED_COLUMNS.generation, 'int64'],
    ]),
  };
}

/** A batch of a staged shard in the online store's terms: keys, features, event time, created time, generation. */
export function toOnline(batch: ColumnBatch, view: OnlineView): OnlineBatch {
  const column = (i: number): readonly unknown[] => batch.columns[i] ?? [];
  const features = view.joinKeys.length;
  const times = features + view.features.length;
  return {
    rows: batch.rows,
    keys: batch.columns.slice(0, features),
    values: batch.columns.slice(features, times),
    eventTimes: column(times) as readonly bigint[],
    createdTimes: column(times + 1) as readonly (bigint | null)[],
    generations: column(times + 2).map(Number),
  };
}

/** A batch's keys, one list an entity. */
export const keyRows = ({ rows, keys }: OnlineBatch): unknown[][] =>
  Array.from({ length: rows }, (_, row) => keys.map((column) => column[row]));
