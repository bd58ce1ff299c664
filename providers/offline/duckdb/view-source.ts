import { Timestamp } from '../../../definitions/timestamp.js';
import type { FileRelation, JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { matchesInTime, reachOf } from '../join-shape.js';
import { columnType } from '../shape.js';
import { featureValue, greatestFirst } from './feature-columns.js';
import { relationSql } from './relation-sql.js';
import { literal, quoteIdentifier } from './sql-text.js';
import type { Labels } from './view-match.js';

/** A view's rows, as expressions over `f`. */
export interface Source {
  readonly from: string;
  /** The Parquet files that they lie in, as a list; undefined for others. */
  readonly files: string | undefined;
  /** The key, one value a tuple. */
  readonly key: string;
  /** `event` in microseconds, `created` where there is one, `c0`, `c1`, ... */
  readonly columns: readonly string[];
  readonly event: string;
  readonly created: string;
  /** That the keys are those of a table, by default in its columns `k0`, `k1`, ... */
  readonly equal: (table: string, names?: readonly string[]) => string;
  /** Never a NULL event time; an infinite one has no microseconds. */
  readonly where: string;
}

export async function sourceOf(
  c: Connection,
  view: JoinedView,
  { time, range }: Pick<Labels, 'time' | 'range'>,
): Promise<Source> {
  const { on, timestampField, createdTimestampField, columns } = view;
  const relation = matchesInTime(view, time) ? reachable(view, range) : view.relation;
  const of = (column: string): string => `f.${quoteIdentifier(column)}`;
  const event = timestampField === undefined ? 'NULL::BIGINT' : `epoch_us(${of(timestampField)})`;
  const created = createdTimestampField === undefined ? 'NULL::TIMESTAMPTZ' : of(createdTimestampField);
  const keys = on.map(({ feature, type }) => featureValue(of(feature), columnType(relation, feature), type));
  return {
    from: `(${await relationSql(c, relation)}) f`,
    files:
      relation.format === 'parquet' && relation.files.length > 0
        ? `[${relation.files.map(({ path }) => literal(path)).join(', ')}]`
        : undefined,
    key: keys.length === 1 ? keys.join('') : `row(${keys.join(', ')})`,
    columns: [
      `${event} AS event`,
      ...(createdTimestampField === undefined ? [] : [`${created} AS created`]),
      ...columns.map(({ column }, i) => `${of(column)} AS c${i}`),
    ],
    event,
    created,
    equal: (table, names) =>
      keys.map((key, i) => `${key} = ${table}.${names?.[i] ?? `k${i}`}`).join(' AND ') || 'true',
    where: timestampField === undefined ? '' : ` WHERE ${event} IS NOT NULL`,
  };
}

/** Greatest first: event time, created time (NULL least), then the selected columns in definition order. */
export function rowOrder({ columns, timestampField, createdTimestampField }: JoinedView): string[] {
  return [
    ...(timestampField === undefined ? [] : ['event DESC']),
    ...(timestampField === undefined || createdTimestampField === undefined
      ? []
      : ['created DESC NULLS LAST']),
    ...greatestFirst(columns.map((_, i) => `c${i}`)),
  ];
}

export function firstOf(rows: string, keys: readonly string[], order: readonly string[]): string {
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
