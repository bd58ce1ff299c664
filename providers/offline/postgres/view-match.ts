import { quoteName } from '../../../definitions/sql.js';
import type { JoinedView } from '../provider.js';
import type { TableRelation } from '../table-provider.js';
import { byBytes, convert, familyOf } from './column-types.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { earlier, later } from './sql-text.js';
import { lagOf, matchesInTime, ttlOf } from '../join-shape.js';
import { columnType } from '../shape.js';

type View = JoinedView<TableRelation>;

/** The labels' side that a view is matched against. */
export interface Labels {
  readonly spine: string;
  /** A table with one row a key tuple of the labels: `id`, `k0`, `k1`, ... */
  readonly keys: string;
  /** The label rows' number of a key tuple; NULL when a key is NULL. */
  readonly id: string;
  /** The label rows' time; undefined: labels without time take the newest rows. */
  readonly time: string | undefined;
  /** Only rows that were created by then. */
  readonly knownAt: boolean;
}

/**
 * Leaves the table `<prefix>_rows`: (id, event, created, c0, c1, ...), the row that counts of each key tuple and, in time, of each instant.
 * Resolves to the join that gives a label `s` its row, called `prefix`.
 */
export async function matchView(c: Connection, view: View, prefix: string, labels: Labels): Promise<string> {
  const { knownAt, time = '' } = labels;
  const timed = matchesInTime(view, labels.time);
  const unique = !timed ? ['id'] : knownAt ? ['id', 'event', 'created'] : ['id', 'event'];
  const order = [
    ...(view.timestampField === undefined ? [] : ['event DESC']),
    ...(view.timestampField === undefined || view.createdTimestampField === undefined
      ? []
      : ['created DESC NULLS LAST']),
    ...view.columns.map((_, i) => `c${i} DESC NULLS LAST`),
  ];
  const rows = `${prefix}_rows`;
  const chosen = `SELECT DISTINCT ON (${unique.join(', ')}) * FROM (${await sourceSql(c, view, labels)}) f ORDER BY id, ${order.join(', ') || '1'}`;
  const lag = lagOf(view);
  const select = timed && knownAt ? recordsSql(chosen, lag) : chosen;
  await c.run(`CREATE TEMP TABLE ${rows} ON COMMIT DROP AS ${select}`);
  if (!timed) return `LEFT JOIN ${rows} ${prefix} ON ${prefix}.id = s.${labels.id}`;
  const since = knownAt ? 'since' : 'event';
  await c.run(`CREATE INDEX ON ${rows} (id, ${since}); ANALYZE ${rows}`);
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const ttl = ttlOf(view);
  const young = ttl === undefined ? 'true' : `${prefix}.event >= ${earlier(`s.${time}`, lag + ttl)}`;
  const until = knownAt ? `s.${time}` : earlier(`s.${time}`, lag);
  return `LEFT JOIN LATERAL (SELECT * FROM ${rows} f WHERE f.id = s.${labels.id} AND isfinite(s.${time}) AND f.${since} <= ${until} ORDER BY f.${since} DESC LIMIT 1) ${prefix} ON ${young}`;
}

/**
 * Of a key's rows those that are the greatest of all that are known at the instant `since` which they are known from: between two of them, the
 * earlier one counts. So a label looks at one of them, however long a history is.
 */
function recordsSql(rows: string, lag: bigint): string {
  const ranked = `SELECT *, greatest(${later('event', lag)}, created) AS since, row_number() OVER (PARTITION BY id ORDER BY event, created) AS rank FROM (${rows}) r WHERE created IS NOT NULL`;
  return `SELECT * FROM (SELECT *, max(rank) OVER (PARTITION BY id ORDER BY since) AS best FROM (${ranked}) k) b WHERE rank = best`;
}

/** A view's rows as id, event, created, c0, ...: only keys that the labels have, never a NULL or infinite event time. */
async function sourceSql(c: Connection, view: View, labels: Labels): Promise<string> {
  const { relation, on, timestampField, createdTimestampField, columns } = view;
  const time = (field: string | undefined): string =>
    field === undefined ? 'NULL::timestamptz' : `f.${quoteName(field)}`;
  const values = [
    'k.id',
    `${time(timestampField)} AS event`,
    `${time(createdTimestampField)} AS created`,
    ...columns.map(
      ({ column }, i) => `${byBytes(`f.${quoteName(column)}`, columnType(relation, column))} AS c${i}`,
    ),
  ];
  const equal = on.map(({ feature, type }, i) => {
    const key = convert(`f.${quoteName(feature)}`, type, familyOf(columnType(relation, feature)));
    return `${byBytes(key, type)} = k.k${i}`;
  });
  const conditions = [
    ...(timestampField === undefined ? [] : [`isfinite(f.${quoteName(timestampField)})`]),
    // Rows after the last label meet none.
    ...(timestampField === undefined || labels.time === undefined
      ? []
      : [
          `f.${quoteName(timestampField)} <= (SELECT ${earlier(`max(${labels.time}) FILTER (WHERE isfinite(${labels.time}))`, lagOf(view))} FROM ${labels.spine})`,
        ]),
  ];
  return `SELECT ${values.join(', ')} FROM (${await relationSql(c, relation)}) f JOIN ${labels.keys} k ON ${equal.join(' AND ') || 'true'}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`;
}
