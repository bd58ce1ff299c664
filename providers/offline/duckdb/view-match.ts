import { Timestamp } from '../../../definitions/timestamp.js';
import type { FileRelation, JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
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
}

/** Whether a view is matched by time; otherwise by its keys alone. */
export function matchesInTime(view: JoinedView, time: string | undefined): boolean {
  return view.timestampField !== undefined && time !== undefined;
}

/**
 * Leaves `<prefix>_rows`: (id, event, c0, c1, ...), one row a key tuple and, in time, a matched instant; and in time
 * `<prefix>_match`: (label, id, event), a label row's number and its instant.
 */
export async function matchView(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
): Promise<void> {
  const timed = matchesInTime(view, labels.time);
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
  const times = `SELECT id, event FROM ${prefix}_source`;
  const wanted = `SELECT rowid AS label, ${labels.id} AS id, ${labels.time} AS t FROM ${labels.table} WHERE ${labels.time} IS NOT NULL AND ${labels.id} IS NOT NULL`;
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const ttl =
    view.ttl !== undefined && view.ttl > 0n ? ` WHERE epoch_us(f.event) >= epoch_us(s.t) - ${view.ttl}` : '';
  await c.run(
    `CREATE TEMP TABLE ${prefix}_match AS SELECT s.label, s.id, f.event FROM (${wanted}) s ASOF JOIN (${times}) f ON s.id = f.id AND s.t >= f.event${ttl}`,
  );
  const rows = `SELECT f.* FROM ${prefix}_source f SEMI JOIN (SELECT DISTINCT id, event FROM ${prefix}_match) w ON f.id = w.id AND f.event = w.event`;
  await c.run(`CREATE TEMP TABLE ${prefix}_rows AS ${firstOf(rows, ['id', 'event'], order)}`);
}

/** A view's rows as id, event, created, c0, ...: only keys that the labels have, never a NULL event time. */
function sourceSql(view: JoinedView, select: string, keysTable: string): string {
  const { relation, on, timestampField, createdTimestampField, columns } = view;
  const values = [
    'k.id',
    `${timestampField === undefined ? 'NULL::TIMESTAMPTZ' : `f.${quoteIdentifier(timestampField)}`} AS event`,
    `${createdTimestampField === undefined ? 'NULL::TIMESTAMPTZ' : `f.${quoteIdentifier(createdTimestampField)}`} AS created`,
    ...columns.map(({ column }, i) => `f.${quoteIdentifier(column)} AS c${i}`),
  ];
  const equal = on.map(
    ({ feature, type }, i) =>
      `${featureValue(`f.${quoteIdentifier(feature)}`, columnType(relation, feature), type)} = k.k${i}`,
  );
  const where = timestampField === undefined ? '' : ` WHERE f.${quoteIdentifier(timestampField)} IS NOT NULL`;
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
 * The view's relation without the rows that no label can reach: after the last label's time, or before the first's
 * less the TTL. Given to the relation, so that whole row groups are skipped.
 */
function reachable(view: JoinedView, range: readonly unknown[]): FileRelation {
  const { relation, timestampField, ttl } = view;
  const [min, max] = range;
  if (timestampField === undefined || typeof min !== 'bigint' || typeof max !== 'bigint') return relation;
  const before = [
    max + 1n,
    ...(relation.before === undefined ? [] : [Timestamp.from(relation.before).micros]),
  ];
  const from = [
    ...(ttl !== undefined && ttl > 0n && min - ttl > -MAX_MICROS ? [min - ttl] : []),
    ...(relation.from === undefined ? [] : [Timestamp.from(relation.from).micros]),
  ];
  return {
    ...relation,
    timestampField,
    before: new Timestamp(before.reduce((a, b) => (a < b ? a : b))).toString(),
    ...(from.length === 0 ? {} : { from: new Timestamp(from.reduce((a, b) => (a > b ? a : b))).toString() }),
  };
}
