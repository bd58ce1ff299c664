import { GranaryError } from '../../definitions/errors.js';
import { SPLIT_COLUMN } from '../../definitions/split.js';
import type { ValueType } from '../../definitions/types.js';
import type { Age, JoinedView, JoinStatistics, OutputShape, PointInTimeJoin, Relation } from './provider.js';
import { checkJoinColumns, columnType, featureType } from './shape.js';

/** What every engine's point-in-time join is made of. */

type Join = PointInTimeJoin<Relation, OutputShape>;

/** A column of the joined table: its name there, its name in the output, its type before and in the output. */
export interface JoinedColumn {
  readonly column: string;
  readonly as: string;
  readonly from: ValueType;
  readonly type: ValueType;
}

/** The part's name in the joined table. */
export const SPLIT = 'part';

/** Longer than any two instants are apart, in microseconds: twice the years 0001 to 9999. */
const FOREVER = 631_000_000_000_000_000n;

/** A TTL or a lag that no sum with an instant overflows; undefined: no TTL. */
export const bounded = (micros: bigint): bigint => (micros < FOREVER ? micros : FOREVER);

/** A view's TTL in microseconds; undefined: no limit. */
export const ttlOf = ({ ttl = 0n }: Pick<JoinedView, 'ttl'>): bigint | undefined =>
  ttl > 0n && ttl < FOREVER ? ttl : undefined;

/** A view's lag in microseconds; 0: none. */
export const lagOf = ({ lag = 0n }: Pick<JoinedView, 'lag'>): bigint => bounded(lag);

/** Event times in microseconds that labels of a time can meet: below `before`, and from `from` on where a TTL ends what is older. */
export function reachOf(
  view: Pick<JoinedView, 'lag' | 'ttl'>,
  labels: { readonly first: bigint; readonly last: bigint },
): { readonly before: bigint; readonly from: bigint | undefined } {
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  return {
    before: labels.last - lag + 1n,
    from: ttl === undefined ? undefined : labels.first - lag - ttl,
  };
}

/** The columns of the labels that are needed, each once, under names that clash with nothing: s0, s1, ... */
export function spineSources({ spine, views }: Join): Map<string, string> {
  const { split } = spine;
  const needed = [
    ...spine.columns.map(({ column }) => column),
    ...spine.orderBy,
    ...views.flatMap(({ on }) => on.map(({ spine: column }) => column)),
    ...(spine.label === undefined ? [] : [spine.label.column]),
    ...(split?.by === 'entity' ? split.keys.map(({ column }) => column) : []),
    ...(spine.timestampField === undefined ? [] : [spine.timestampField]),
  ];
  const unique = [...new Set(needed)];
  for (const column of unique) columnType(spine.relation, column);
  return new Map(unique.map((column, i) => [column, `s${i}`]));
}

/**
 * The output's columns in order, as the joined table has them: {@link SPLIT}, `s0`, ..., `v0_c0`, ...
 * @throws GranaryError `SchemaMismatch` when they are not the output's, or a column does not fit; `InvalidDefinition` for `knownAt` over a view
 * without created timestamps.
 */
export function joinColumns(join: Join, sources: ReadonlyMap<string, string>): JoinedColumn[] {
  const { spine, views, output, knownAt = false } = join;
  type Wanted = JoinedView['columns'][number];
  const typed = (relation: Relation, column: string, wanted: Wanted): JoinedColumn => ({
    column,
    as: wanted.as,
    type: wanted.type,
    from: featureType(relation, wanted.column, wanted.type),
  });
  const ofSpine = (wanted: Wanted): JoinedColumn =>
    typed(spine.relation, sources.get(wanted.column) ?? '', wanted);
  // A view's columns decide its ties in their own order; the output may have them in another.
  const place = new Map(Object.keys(output.schema).map((name, i) => [name, i]));
  const placeOf = ({ as }: JoinedColumn): number => place.get(as) ?? place.size;
  const features = views.flatMap((view, v) =>
    view.columns.map((wanted, i) => typed(view.relation, `v${v}_c${i}`, wanted)),
  );
  const columns = [
    ...(spine.split === undefined
      ? []
      : [{ column: SPLIT, as: SPLIT_COLUMN, from: 'string', type: 'string' } as const]),
    ...spine.columns.map(ofSpine),
    ...features.toSorted((a, b) => placeOf(a) - placeOf(b)),
    ...(spine.label === undefined ? [] : [ofSpine(spine.label)]),
  ];
  checkJoinColumns(output, columns);
  const unknown = views.find(
    (view) => view.timestampField !== undefined && view.createdTimestampField === undefined,
  );
  if (knownAt && unknown)
    throw new GranaryError(
      'InvalidDefinition',
      `${output.name}: knownAt needs to know when each row was created, but ${unknown.relation.name} has no createdTimestampField. Name it, or leave knownAt out.`,
    );
  return columns;
}

/**
 * The columns that decide the order of rows after `spine.orderBy`. What a view gives follows from the label's keys and time: where these come first,
 * values of features decide nothing more, and sorting by them costs much.
 */
export function decidingColumns(
  { spine, views }: Join,
  columns: readonly JoinedColumn[],
): readonly JoinedColumn[] {
  const first = new Set(spine.orderBy);
  const asked = [...views.flatMap(({ on }) => on.map((pair) => pair.spine)), spine.timestampField];
  if (!asked.every((column) => column === undefined || first.has(column))) return columns;
  const given = new Set(views.flatMap((view, v) => view.columns.map((_, i) => `v${v}_c${i}`)));
  return columns.filter(({ column }) => !given.has(column));
}

/** Key tuples of a label: views that join on the same columns share a table of numbers for them. */
export interface KeyTable<On> {
  readonly name: string;
  /** The column of the labels that holds the tuple's number. */
  readonly id: string;
  readonly on: On;
}

/** Which table of key tuples each view joins by; tables are named `<prefix>0`, `<prefix>1`, ... */
export function planKeyTables<On extends readonly { readonly spine: string; readonly type: ValueType }[]>(
  views: readonly { readonly on: On }[],
  prefix: string,
): { readonly keyTables: readonly KeyTable<On>[]; readonly ofView: readonly KeyTable<On>[] } {
  const tables = new Map<string, KeyTable<On>>();
  const ofView = views.map(({ on }) => {
    const signature = JSON.stringify(on.map(({ spine, type }) => [spine, type]));
    const known = tables.get(signature) ?? { name: `${prefix}${tables.size}`, id: `id${tables.size}`, on };
    tables.set(signature, known);
    return known;
  });
  return { keyTables: [...tables.values()], ofView };
}

/** Whether a view is matched by time; otherwise by its keys alone. */
export const matchesInTime = (view: Pick<JoinedView, 'timestampField'>, time: string | undefined): boolean =>
  view.timestampField !== undefined && time !== undefined;

/** How an engine says what the statistics of a join need. */
export interface StatisticsSql {
  /** Whether a joined row of view `v` is later than the label's time, less the lag in microseconds. */
  readonly isLater: (column: string, lag: bigint) => string;
  /** Microseconds from an event time to the label's time less the lag, over all rows: smallest, median (the lower of two), largest. */
  readonly ages: (event: string, lag: bigint) => readonly [min: string, median: string, max: string];
}

/**
 * Counts over the joined rows themselves (`v0_hit`, `v0_event`, `v0_created`, ...), by the times of the rows whose values they carry.
 * @param row runs a query of one row over the joined table
 */
export async function joinStatistics(
  { views, spine }: Join,
  row: (select: string) => Promise<readonly unknown[]>,
  sql: StatisticsSql,
): Promise<Pick<JoinStatistics, 'matched' | 'leaked' | 'createdLater' | 'ages'>> {
  const count = (condition: string): string => `count(*) FILTER (WHERE ${condition})`;
  const selected = views.map((view, v) => {
    const lag = lagOf(view);
    const timed = matchesInTime(view, spine.timestampField);
    return {
      matched: [count(`v${v}_hit`)],
      leaked: timed ? [count(sql.isLater(`v${v}_event`, lag))] : [],
      createdLater:
        timed && view.createdTimestampField !== undefined ? [count(sql.isLater(`v${v}_created`, 0n))] : [],
      ages: timed ? sql.ages(`v${v}_event`, lag) : [],
    };
  });
  const flat = selected.flatMap(({ matched, leaked, createdLater, ages }) => [
    ...matched,
    ...leaked,
    ...createdLater,
    ...ages,
  ]);
  const values = flat.length === 0 ? [] : [...(await row(flat.join(', ')))];
  const take = (expressions: readonly string[]): unknown[] => values.splice(0, expressions.length);
  const total = (expressions: readonly string[]): number => Number(take(expressions)[0] ?? 0);
  const counted = selected.map((of) => ({
    matched: total(of.matched),
    leaked: total(of.leaked),
    createdLater: total(of.createdLater),
    age: ageOf(take(of.ages)),
  }));
  return {
    matched: counted.map(({ matched }) => matched),
    leaked: counted.reduce((sum, { leaked }) => sum + leaked, 0),
    createdLater: counted.map(({ createdLater }) => createdLater),
    ages: counted.map(({ age }) => age),
  };
}

function ageOf([min, median, max]: readonly unknown[]): Age | undefined {
  if (min === undefined || min === null) return undefined;
  return { min: Number(min), median: Number(median), max: Number(max) };
}
