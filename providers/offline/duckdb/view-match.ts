import { Timestamp } from '../../../definitions/timestamp.js';
import type { FileRelation, JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { lagOf, matchesInTime, ttlOf } from '../join-shape.js';
import { columnType } from '../shape.js';
import { featureValue, greatestFirst } from './feature-columns.js';
import { relationSql } from './relation-sql.js';
import { quoteIdentifier } from './sql-text.js';

/** The labels' side that a view is matched against. */
export interface Labels {
  readonly table: string;
  /** The label rows' time; undefined: labels without time take the newest rows. */
  readonly time: string | undefined;
  /** The label rows' number of a key tuple; NULL when a key is NULL. */
  readonly id: string;
  /** A table with one row a key tuple of the labels: `id`, `k0`, `k1`, ... */
  readonly keys: string;
  /** Smallest and largest label time in microseconds; without any, not of type bigint. */
  readonly range: readonly unknown[];
  /** Only rows that were created by then. */
  readonly knownAt: boolean;
}

/** The columns that tell the row of a match from a key's others. */
export const instantOf = (knownAt: boolean): readonly string[] =>
  knownAt ? ['id', 'event', 'created'] : ['id', 'event'];

/**
 * Leaves `<prefix>_rows`: (id, event in microseconds, created, c0, c1, ...), one row a key tuple and, in time, a matched instant; and in time
 * `<prefix>_match`: a label row's number and its instant (see {@link instantOf}).
 */
export async function matchView(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
): Promise<void> {
  const { time, knownAt } = labels;
  const timed = matchesInTime(view, time);
  const relation = timed ? reachable(view, labels.range) : view.relation;
  await c.run(
    `CREATE TEMP VIEW ${prefix}_source AS ${sourceSql(view, await relationSql(c, relation), labels.keys)}`,
  );
  const order = rowOrder(view);
  if (!timed) {
    await c.run(
      `CREATE TEMP TABLE ${prefix}_rows AS ${firstOf(`SELECT * FROM ${prefix}_source`, ['id'], order)}`,
    );
    return;
  }
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  const instants = instantOf(knownAt);
  const known = `SELECT id, event, created, greatest(event + ${lag}, epoch_us(created)) AS since FROM ${prefix}_source WHERE created IS NOT NULL`;
  const times = knownAt
    ? recordsSql(known)
    : `SELECT id, event, event + ${lag} AS since FROM ${prefix}_source`;
  const wanted = `SELECT rowid AS label, ${labels.id} AS id, epoch_us(${time ?? ''}) AS t FROM ${labels.table} WHERE ${time ?? ''} IS NOT NULL AND ${labels.id} IS NOT NULL`;
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const young = ttl === undefined ? '' : ` WHERE f.event >= s.t - ${lag + ttl}`;
  await c.run(
    `CREATE TEMP TABLE ${prefix}_match AS SELECT s.label, ${instants.map((part) => `f.${part}`).join(', ')} FROM (${wanted}) s ASOF JOIN (${times}) f ON s.id = f.id AND s.t >= f.since${young}`,
  );
  const same = instants.map((part) => `f.${part} = w.${part}`);
  const rows = `SELECT f.* FROM ${prefix}_source f SEMI JOIN (SELECT DISTINCT ${instants.join(', ')} FROM ${prefix}_match) w ON ${same.join(' AND ')}`;
  await c.run(`CREATE TEMP TABLE ${prefix}_rows AS ${firstOf(rows, instants, order)}`);
}

/**
 * Of a key's rows those that are the greatest of all that are known at the instant `since` which they are known from: between two of them, the
 * earlier one counts. So a label looks at one of them, however long a history is.
 */
function recordsSql(known: string): string {
  const ranked = `SELECT *, dense_rank() OVER (PARTITION BY id ORDER BY event, created) AS rank FROM (${known})`;
  return `SELECT DISTINCT id, event, created, since FROM (${ranked}) QUALIFY rank = max(rank) OVER (PARTITION BY id ORDER BY since)`;
}

/** A view's rows as id, event, created, c0, ...: only keys that the labels have, never a NULL event time. */
function sourceSql(view: JoinedView, select: string, keysTable: string): string {
  const { relation, on, timestampField, createdTimestampField, columns } = view;
  const values = [
    'k.id',
    `${timestampField === undefined ? 'NULL::BIGINT' : `epoch_us(f.${quoteIdentifier(timestampField)})`} AS event`,
    `${createdTimestampField === undefined ? 'NULL::TIMESTAMPTZ' : `f.${quoteIdentifier(createdTimestampField)}`} AS created`,
    ...columns.map(({ column }, i) => `f.${quoteIdentifier(column)} AS c${i}`),
  ];
  const equal = on.map(
    ({ feature, type }, i) =>
      `${featureValue(`f.${quoteIdentifier(feature)}`, columnType(relation, feature), type)} = k.k${i}`,
  );
  // An infinite time has no microseconds.
  const where =
    timestampField === undefined ? '' : ` WHERE epoch_us(f.${quoteIdentifier(timestampField)}) IS NOT NULL`;
  return `SELECT ${values.join(', ')} FROM (${select}) f JOIN ${keysTable} k ON ${equal.join(' AND ') || 'true'}${where}`;
}

/** Greatest first: event time, created time (NULL least), then the selected columns in definition order. */
function rowOrder({ columns, timestampField, createdTimestampField }: JoinedView): string[] {
  return [
    ...(timestampField === undefined ? [] : ['event DESC']),
    ...(timestampField === undefined || createdTimestampField === undefined
      ? []
      : ['created DESC NULLS LAST']),
    ...greatestFirst(columns.map((_, i) => `c${i}`)),
  ];
}

function firstOf(rows: string, keys: readonly string[], order: readonly string[]): string {
  const by = order.length > 0 ? ` ORDER BY ${order.join(', ')}` : '';
  return `${rows} QUALIFY row_number() OVER (PARTITION BY ${keys.join(', ')}${by}) = 1`;
}

/** What a Date, and so an ISO-8601 text, can express. */
const MAX_MICROS = 8_640_000_000_000_000_000n;

/**
 * The view's relation without the rows that no label can reach: after the last label's time less the lag, or before the first's
 * less lag and TTL. Given to the relation, so that whole row groups are skipped.
 */
function reachable(view: JoinedView, range: readonly unknown[]): FileRelation {
  const { relation, timestampField } = view;
  const [min, max] = range;
  if (timestampField === undefined || typeof min !== 'bigint' || typeof max !== 'bigint') return relation;
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  const given = (bound: string | undefined): bigint[] =>
    bound === undefined ? [] : [Timestamp.from(bound).micros];
  const before = [max - lag + 1n, ...given(relation.before)].reduce((a, b) => (a < b ? a : b));
  const from = [...(ttl === undefined ? [] : [min - lag - ttl]), ...given(relation.from)];
  const inReach = (micros: bigint): boolean => micros > -MAX_MICROS && micros < MAX_MICROS;
  return {
    ...relation,
    timestampField,
    ...(inReach(before) ? { before: new Timestamp(before).toString() } : {}),
    ...(from.length === 0 || !from.every(inReach)
      ? {}
      : { from: new Timestamp(from.reduce((a, b) => (a > b ? a : b))).toString() }),
  };
}
