import type { OnlineView } from '../provider.js';
import { literal, viewTables } from './names.js';
import { writeStatement } from './write-statement.js';

/**
 * The SQL of one view's two tables.
 *
 * A row's order lies in a table of Granary's own, not in a feature row of Feast's table: whoever reads all rows of an entity (Feast's reader
 * where no features are named, SQL) takes each for a feature, parses its value, and its event time for the entity's. There a mark would be a
 * feature, and a tombstone an entity. Beside it, the order is typed, narrow, and the one row an entity that loaders lock.
 *
 * The order holds a copy of the event time that it was written with. Where the greatest `event_ts` of the entity's feature rows is another
 * one, a Feast writer came since, or wrote alone: then the event times decide, unless the promotion does. Where there are
 * no feature rows and no tombstone, Feast removed them: any row is written.
 */
export interface Statements {
  /** Creates the tables, each `IF NOT EXISTS`. */
  readonly createFeatures: string;
  readonly createOrders: string;
  /**
   * Locks the orders of `$1::bytea[]` until the end of the transaction, in the order of their keys, so that loaders never wait for each
   * other in a ring. Resolves to how many there are, and whether the features' table has Feast's column `value_num`.
   */
  readonly lock: string;
  /** Writes rows; see {@link writeStatement}. */
  readonly write: (withNumbers: boolean) => string;
  /**
   * Removes up to $2 entities with a lower promotion than $1 whose key is beyond $3 (or any, if NULL). Where $4 is an instant (in an array:
   * so it comes in binary, with its microseconds) each leaves a tombstone with it, also one that was a tombstone before. Resolves to `seen`,
   * `removed` and the `last` key.
   */
  readonly removeBelow: string;
  /** Deletes the tombstones before $1, an instant in an array. */
  readonly collect: string;
  /**
   * The entities of `$1::bytea[]` that are there, one row each, with the order and, in `packed`, the features of $2: the lengths of name and
   * value as int4, each before its bytes. A row a feature would cost the client more than the server takes to read it.
   */
  readonly read: string;
  /** The first $2 keys beyond $1 (or of all, if NULL), in their order. */
  readonly keys: string;
}

/** Microseconds since 1970 as text. */
const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::int8::text`;

export function statements(schema: string, view: OnlineView): Statements {
  const { features, orders } = viewTables(schema, view);
  return {
    // As Feast makes it, but for its index over entity_key alone, which the primary key begins with, and which costs each write; `feast apply`
    // adds it. Each load replaces most rows: with room in its page a replaced row needs no new index entry.
    createFeatures: `CREATE TABLE IF NOT EXISTS ${features} (
  entity_key bytea,
  feature_name text,
  value bytea,
  value_text text,
  vector_value bytea,
  event_ts timestamptz,
  created_ts timestamptz,
  PRIMARY KEY (entity_key, feature_name)
) WITH (fillfactor = 50)`,
    createOrders: `CREATE TABLE IF NOT EXISTS ${orders} (
  entity_key bytea PRIMARY KEY,
  promotion int8 NOT NULL,
  event_ts timestamptz NOT NULL,
  created_ts timestamptz,
  generation int8 NOT NULL,
  removed boolean NOT NULL DEFAULT false
)`,
    lock: `SELECT (SELECT count(*)::int4 FROM (SELECT FROM ${orders} WHERE entity_key = ANY($1::bytea[]) ORDER BY entity_key FOR UPDATE) l) AS locked,
  EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(${literal(features)}) AND attname = 'value_num' AND NOT attisdropped) AS numbers`,
    write: (withNumbers) => writeStatement(schema, view, withNumbers),
    removeBelow: `WITH gone AS MATERIALIZED (
  SELECT entity_key, removed FROM ${orders}
  WHERE promotion < $1 AND ($3::bytea IS NULL OR entity_key > $3)
  ORDER BY entity_key LIMIT $2 FOR UPDATE
), emptied AS (
  DELETE FROM ${features} AS f USING gone WHERE f.entity_key = gone.entity_key
), forgotten AS (
  DELETE FROM ${orders} AS o USING gone WHERE o.entity_key = gone.entity_key AND $4::timestamptz[] IS NULL
), marked AS (
  UPDATE ${orders} AS o SET promotion = $1, event_ts = ($4::timestamptz[])[1], created_ts = NULL, generation = 0, removed = true
  FROM gone WHERE o.entity_key = gone.entity_key AND $4::timestamptz[] IS NOT NULL
)
SELECT count(*)::int4 AS seen, (count(*) FILTER (WHERE NOT removed))::int4 AS removed,
  (SELECT entity_key FROM gone ORDER BY entity_key DESC LIMIT 1) AS last FROM gone`,
    collect: `DELETE FROM ${orders} WHERE removed AND event_ts < ($1::timestamptz[])[1]`,
    keys: `SELECT DISTINCT entity_key FROM ${features} WHERE $1::bytea IS NULL OR entity_key > $1 ORDER BY entity_key LIMIT $2`,
    // The orders first, as loaders do: whoever drops both tables locks them in this order.
    read: `SELECT i.position::int4, f.packed, ${micros('f.newest')} AS event_time,
  CASE WHEN o.event_ts = f.newest THEN o.promotion END::text AS promotion,
  ${micros('o.created_ts')} AS created_time, o.generation::text
FROM unnest($1::bytea[]) WITH ORDINALITY AS i (entity_key, position)
LEFT JOIN ${orders} AS o ON o.entity_key = i.entity_key AND NOT o.removed
CROSS JOIN LATERAL (
  SELECT max(event_ts) AS newest, count(*) AS rows, string_agg(
    int4send(octet_length(feature_name)) || convert_to(feature_name, 'UTF8') || int4send(coalesce(length(value), 0)) || coalesce(value, ''), ''
  ) FILTER (WHERE feature_name = ANY($2::text[])) AS packed
  FROM ${features} AS f WHERE f.entity_key = i.entity_key
) AS f
WHERE f.rows > 0`,
  };
}
