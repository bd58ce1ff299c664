import { Timestamp } from '../../../definitions/timestamp.js';
import type { FileRelation, JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { lagOf, matchesInTime, reachOf, ttlOf } from '../join-shape.js';
import { columnType } from '../shape.js';
import { featureValue, greatestFirst } from './feature-columns.js';
import { relationSql } from './relation-sql.js';
import { quoteIdentifier } from './sql-text.js';

/** The labels' side that a view is matched against. */
export interface Labels {
  /** A table with a narrow row a label; a match adds columns to it. */
  readonly table: string;
  /** The labels' time there, in microseconds; undefined: labels without time take the newest rows. */
  readonly time: string | undefined;
  /** The label rows' number of a key tuple; NULL when a key is NULL. */
  readonly id: string;
  /** A table with one row a key tuple of the labels: `id`, `k0`, `k1`, ... */
  readonly keys: string;
  /** The number is the only key itself. */
  readonly numbered: boolean;
  /** Smallest and largest label time in microseconds; without any, not of type bigint. */
  readonly range: readonly unknown[];
  /** Only rows that were created by then. */
  readonly knownAt: boolean;
}

/** The columns that tell the row of a match from a key's others, as the labels (`v0_at_event`) and the view's rows (`event`) have them. */
export const instantOf = (
  prefix: string,
  knownAt: boolean,
): readonly (readonly [label: string, row: string])[] =>
  (knownAt ? ['event', 'created'] : ['event']).map((part) => [`${prefix}_at_${part}`, part]);

/**
 * Leaves `<prefix>_rows`: (id, event in microseconds, created where there is one, c0, c1, ...), one row a key tuple and, in time, a matched instant; and in time
 * adds the matched instant to the labels (see {@link instantOf}). First keys and times alone are matched, then the values of the matched
 * instants are read, by hashing: what is sorted is narrow, and what is wide is small.
 */
export async function matchView(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
): Promise<void> {
  const source = await sourceOf(c, view, labels);
  const rows = `${prefix}_rows`;
  if (!matchesInTime(view, labels.time)) {
    const all = `SELECT k.id, ${source.columns.join(', ')} FROM ${source.from} JOIN ${labels.keys} k ON ${source.equal('k')}${source.where}`;
    await c.run(`CREATE TEMP TABLE ${rows} AS ${firstOf(all, ['id'], rowOrder(view))}`);
    return;
  }
  await addInstants(c, view, prefix, labels, source);
  const instants = instantOf(prefix, labels.knownAt);
  const found = `${prefix}_instants`;
  const distinct = `SELECT DISTINCT ${labels.id} AS id, ${instants.map(([label, row]) => `${label} AS ${row}`).join(', ')} FROM ${labels.table} WHERE ${prefix}_at_event IS NOT NULL`;
  const keyed = labels.numbered
    ? `SELECT *, id AS k0 FROM (${distinct})`
    : `SELECT w.*, k.* EXCLUDE (id) FROM (${distinct}) w JOIN ${labels.keys} k ON w.id = k.id`;
  await c.run(`CREATE TEMP TABLE ${found} AS ${keyed}`);
  const same = instants.map(([, row]) => `${row === 'event' ? source.event : source.created} = w.${row}`);
  await c.run(
    `CREATE TEMP TABLE ${rows} AS SELECT w.id, ${source.columns.join(', ')} FROM ${source.from} JOIN ${found} w ON ${[source.equal('w'), ...same].join(' AND ')}`,
  );
  const [isOneEach] = await c.row(`SELECT (SELECT count(*) FROM ${rows}) = (SELECT count(*) FROM ${found})`);
  await c.run(`DROP TABLE ${found}`);
  if (isOneEach === true) return;
  // Some instant has several rows.
  const one = ['id', ...instants.map(([, row]) => row)];
  await c.run(
    `CREATE TEMP TABLE ${rows}_one AS ${firstOf(`SELECT * FROM ${rows}`, one, rowOrder(view))}; DROP TABLE ${rows}; ALTER TABLE ${rows}_one RENAME TO ${rows}`,
  );
}

/** Adds to each label row the instant of the view's row that it takes, or NULL. */
async function addInstants(
  c: Connection,
  view: JoinedView,
  prefix: string,
  { table, id, keys, time = '', knownAt }: Labels,
  source: Source,
): Promise<void> {
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  const select = (columns: string, where = source.where): string =>
    `SELECT k.id, ${source.event} AS event, ${columns} FROM ${source.from} JOIN ${keys} k ON ${source.equal('k')}${where}`;
  const times = knownAt
    ? recordsSql(
        select(
          `${source.created} AS created, greatest(${source.event} + ${lag}, epoch_us(${source.created})) AS since`,
          `${source.where} AND ${source.created} IS NOT NULL`,
        ),
      )
    : select(`${source.event} + ${lag} AS since`);
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const young = (column: string): string =>
    ttl === undefined ? column : `CASE WHEN f.event >= s.${time} - ${lag + ttl} THEN ${column} END`;
  const found = instantOf(prefix, knownAt).map(([label, row]) => `${young(`f.${row}`)} AS ${label}`);
  await c.run(
    `CREATE TEMP TABLE ${table}_next AS SELECT s.*, ${found.join(', ')} FROM ${table} s ASOF LEFT JOIN (${times}) f ON s.${id} = f.id AND s.${time} >= f.since; DROP TABLE ${table}; ALTER TABLE ${table}_next RENAME TO ${table}`,
  );
}

/**
 * Of a key's rows those that are the greatest of all that are known at the instant `since` which they are known from: between two of them, the
 * earlier one counts. So a label looks at one of them, however long a history is.
 */
function recordsSql(known: string): string {
  const ranked = `SELECT *, dense_rank() OVER (PARTITION BY id ORDER BY event, created) AS rank FROM (${known})`;
  return `SELECT DISTINCT id, event, created, since FROM (${ranked}) QUALIFY rank = max(rank) OVER (PARTITION BY id ORDER BY since)`;
}

/** A view's rows, as expressions over `f`. */
interface Source {
  readonly from: string;
  /** `event` in microseconds, `created` where there is one, `c0`, `c1`, ... */
  readonly columns: readonly string[];
  readonly event: string;
  readonly created: string;
  /** That the keys are those of a table with `k0`, `k1`, ... */
  readonly equal: (table: string) => string;
  /** Never a NULL event time; an infinite one has no microseconds. */
  readonly where: string;
}

async function sourceOf(c: Connection, view: JoinedView, { time, range }: Labels): Promise<Source> {
  const { on, timestampField, createdTimestampField, columns } = view;
  const relation = matchesInTime(view, time) ? reachable(view, range) : view.relation;
  const of = (column: string): string => `f.${quoteIdentifier(column)}`;
  const event = timestampField === undefined ? 'NULL::BIGINT' : `epoch_us(${of(timestampField)})`;
  const created = createdTimestampField === undefined ? 'NULL::TIMESTAMPTZ' : of(createdTimestampField);
  const keys = on.map(({ feature, type }) => featureValue(of(feature), columnType(relation, feature), type));
  return {
    from: `(${await relationSql(c, relation)}) f`,
    columns: [
      `${event} AS event`,
      ...(createdTimestampField === undefined ? [] : [`${created} AS created`]),
      ...columns.map(({ column }, i) => `${of(column)} AS c${i}`),
    ],
    event,
    created,
    equal: (table) => keys.map((key, i) => `${key} = ${table}.k${i}`).join(' AND ') || 'true',
    where: timestampField === undefined ? '' : ` WHERE ${event} IS NOT NULL`,
  };
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
  const reach = reachOf(view, { first: min, last: max });
  const given = (bound: string | undefined): bigint[] =>
    bound === undefined ? [] : [Timestamp.from(bound).micros];
  const before = [reach.before, ...given(relation.before)].reduce((a, b) => (a < b ? a : b));
  const from = [...(reach.from === undefined ? [] : [reach.from]), ...given(relation.from)];
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
