import { quoteName } from '../../../definitions/sql.js';
import type { OnlineView } from '../provider.js';
import { columnName, fencesTable, tableName } from './names.js';

/** What decides which row is newer, in this order; no created time counts as the epoch. */
const order = (row: string): string =>
  `(${row}.promotion, ${row}.event_timestamp, coalesce(${row}.created_timestamp, 'epoch'), ${row}.generation)`;

/** The SQL of one view's table. */
export interface Statements {
  /** `<schema>.<table>`, quoted. */
  readonly table: string;
  readonly create: string;
  /**
   * Writes rows where they are newer and returns the keys that were written. Parameters: the promotion, arrays of keys,
   * event times, created times, generations, then one array a feature. Rows that lose are locked all the same, until the
   * end of the transaction; all are locked in the order of their keys, so that loaders never wait for each other in a ring. Nothing is
   * written below the view's fence.
   */
  readonly upsert: string;
  /** Deletes up to $2 rows of a lower promotion than $1. */
  readonly deleteBelow: string;
  /** Counts the rows whose order equals the given one: promotion, keys, event times, created times, generations. */
  readonly countEqual: string;
  /** The stored rows of `$1::bytea[]`, with some of its columns. */
  readonly read: (columns: readonly string[]) => string;
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const INPUT = '$2::bytea[], $3::timestamptz[], $4::timestamptz[], $5::int8[]';

export function statements(schema: string, view: OnlineView): Statements {
  const table = `${quoteName(schema)}.${quoteName(tableName(view))}`;
  const columns = view.features.map(({ name }) => quoteName(columnName(name)));
  const values = columns.map((_, i) => `$${6 + i}::bytea[]`);
  const all = ['entity_key', 'event_timestamp', 'created_timestamp', 'generation', ...columns];
  const set = [
    ...[...all.slice(1), 'promotion'].map((column) => `${column} = excluded.${column}`),
    ...(view.retired ?? []).map((name) => `${quoteName(columnName(name))} = NULL`),
  ];
  const fence = `coalesce((SELECT promotion FROM ${fencesTable(schema)} WHERE project = ${literal(view.project)} AND view = ${literal(view.name)}), 0)`;
  return {
    table,
    create: `CREATE TABLE IF NOT EXISTS ${table} (
  entity_key bytea PRIMARY KEY,
  event_timestamp timestamptz NOT NULL,
  created_timestamp timestamptz,
  promotion int8 NOT NULL,
  generation int8 NOT NULL
)`,
    upsert: `INSERT INTO ${table} AS stored (${all.join(', ')}, promotion)
SELECT i.*, $1::int8 FROM unnest(${[INPUT, ...values].join(', ')}) AS i WHERE $1::int8 >= ${fence} ORDER BY 1
ON CONFLICT (entity_key) DO UPDATE SET ${set.join(', ')}
WHERE ${order('excluded')} > ${order('stored')}`,
    deleteBelow: `DELETE FROM ${table} WHERE entity_key IN (SELECT entity_key FROM ${table} WHERE promotion < $1 ORDER BY 1 LIMIT $2)`,
    countEqual: `SELECT count(*)::int4 AS equal FROM unnest(${INPUT})
  AS i (entity_key, event_timestamp, created_timestamp, generation)
JOIN ${table} AS stored USING (entity_key)
WHERE ($1::int8, i.event_timestamp, coalesce(i.created_timestamp, 'epoch'), i.generation) = ${order('stored')}`,
    read: (names) => `SELECT ${[
      'i.position::int4',
      ...['event_timestamp', 'created_timestamp'].map(
        (column) => `(extract(epoch FROM ${column}) * 1000000)::int8::text AS ${column}`,
      ),
      'promotion::text',
      'generation::text',
      ...names.map((column, i) => `${quoteName(column)} AS v${i}`),
    ].join(', ')} FROM unnest($1::bytea[]) WITH ORDINALITY AS i (entity_key, position)
JOIN ${table} USING (entity_key)`,
  };
}
