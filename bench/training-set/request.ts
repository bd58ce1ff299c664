import type { ScalarType, Schema, ValueType } from '../../definitions/types.js';
import type { FileRelation, JoinedView, PointInTimeJoin } from '../../providers/offline/provider.js';
import type { JoinSpec } from './sets.js';

const TIME = 'event_timestamp';

/** The join that a spec asks for: keys, time, features, label; ordered by keys and time. */
export function requestOf({ labels, views }: JoinSpec, parquet: string): PointInTimeJoin {
  const relation = (name: string, path: string, schema: Schema): FileRelation => ({
    name,
    schema,
    timestampField: TIME,
    format: 'parquet',
    files: [{ path, uri: path, generation: 1 }],
  });
  const typeIn = (schema: Schema, column: string): ValueType => {
    const type = schema[column];
    if (type === undefined) throw new Error(`There is no column ${column}.`);
    return type;
  };
  const carried = Object.keys(labels.schema).filter((column) => column !== 'label');
  const joined = views.map(({ name, path, schema, on, ttlSeconds, features }): JoinedView => ({
    name,
    relation: relation(name, path, schema),
    on: Object.entries(on).map(([spine, feature]) => ({
      spine,
      feature,
      type: typeIn(schema, feature) as ScalarType,
    })),
    timestampField: TIME,
    ttl: BigInt(ttlSeconds) * 1_000_000n,
    columns: Object.entries(features).map(([column, as]) => ({ column, as, type: typeIn(schema, column) })),
  }));
  const spineColumns = carried.map((column) => ({ column, as: column, type: typeIn(labels.schema, column) }));
  const label = { column: 'label', as: 'label', type: typeIn(labels.schema, 'label') };
  return {
    spine: {
      relation: relation('labels', labels.path, labels.schema),
      timestampField: TIME,
      columns: spineColumns,
      label,
      orderBy: carried,
    },
    views: joined,
    output: {
      name: 'training set bench',
      schema: Object.fromEntries(
        [...spineColumns, ...joined.flatMap(({ columns }) => columns), label].map(({ as, type }) => [
          as,
          type,
        ]),
      ),
      keys: [],
      parquet,
    },
  };
}
