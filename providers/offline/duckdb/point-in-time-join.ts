import type { JoinedView, JoinStatistics, PointInTimeJoin } from '../provider.js';
import {
  decidingColumns,
  joinColumns,
  joinStatistics,
  matchesInTime,
  planKeyTables,
  SPLIT,
  spineSources,
  type KeyTable as KeyTableOf,
  type StatisticsSql,
} from '../join-shape.js';
import { splitSql, type SplitSql } from '../join-split.js';
import { checkRows } from '../rows-check.js';
import { columnType, filterFailure } from '../shape.js';
import { engineType, misfit } from './column-types.js';
import type { Connection } from './connection.js';
import { featureValue } from './feature-columns.js';
import { writeOrdered } from './ordered-output.js';
import { relationSql } from './relation-sql.js';
import { instant, quoteIdentifier } from './sql-text.js';
import { matchView, type JoinCondition } from './view-match.js';

const RAW = '__labels';
const SPINE = '__spine';
/** The labels' numbers and times alone, and the instants that they take. */
const TIMES = '__times';
const JOINED = '__joined';

/** A table of the labels' key tuples, numbered; views with the same keys share one. */
type KeyTable = KeyTableOf<JoinedView['on']>;

/**
 * The point-in-time join. Key tuples become numbers; a view's rows are matched by number and time alone; only then are the values of the
 * matches read, and ties among them decided. So no plan multiplies labels by histories, and what is kept grows with the labels, not with the
 * features.
 */
export async function joinInTime(c: Connection, request: PointInTimeJoin): Promise<JoinStatistics> {
  const { spine, views, output, knownAt = false } = request;
  const sources = spineSources(request);
  const columns = joinColumns(request, sources);
  const { keyTables, ofView } = planKeyTables(views, 'keys');
  await createSpine(c, request, sources, keyTables);
  const time = spine.timestampField === undefined ? undefined : sources.get(spine.timestampField);
  const range =
    time === undefined
      ? []
      : await c.row(`SELECT epoch_us(min(${time})), epoch_us(max(${time})) FROM ${SPINE}`);
  const timed = views.some((view) => matchesInTime(view, time));
  if (timed) {
    // A label whose time is NULL matches nothing, so it has no key: DuckDB's ASOF join takes a NULL time for the latest of all.
    const ids = keyTables.map(
      ({ id }) => `CASE WHEN epoch_us(${time ?? ''}) IS NOT NULL THEN ${id} END AS ${id}`,
    );
    await c.run(
      `CREATE TEMP TABLE ${TIMES} AS SELECT ${['rowid AS label', ...ids, `epoch_us(${time ?? ''}) AS t`].join(', ')} FROM ${SPINE}`,
    );
  }
  const perKey = new Map<KeyTable, number>();
  if (timed) for (const keys of keyTables) perKey.set(keys, await mostLabels(c, keys));
  const conditions: JoinCondition[] = [];
  for (const [v, view] of views.entries()) {
    const keys = ofView[v];
    if (keys)
      conditions[v] = await matchView(c, view, `v${v}`, {
        table: TIMES,
        id: keys.id,
        keys: keys.name,
        numbered: isNumber(keys),
        time: time === undefined ? undefined : 't',
        range,
        perKey: perKey.get(keys) ?? 0,
        knownAt,
      });
  }
  await c.run(joinedSql(request, conditions, sources, time));
  // The sort needs the room.
  for (const table of [
    SPINE,
    ...(timed ? [TIMES] : []),
    ...keyTables.map(({ name }) => name),
    ...views.map((_, v) => `v${v}_rows`),
  ])
    await c.run(`DROP TABLE ${table}`);
  await checkRows(c, {
    name: output.name,
    table: quoteIdentifier(JOINED),
    misfit,
    columns: columns
      .filter(({ from, type }) => from !== type)
      .map(({ column, as, from, type }) => ({ column, as, type, found: engineType(from) })),
    keys: [],
  });
  const written = await writeOrdered(c, output, {
    from: JOINED,
    values: Object.fromEntries(
      columns.map(({ column, as, from, type }) => [as, featureValue(column, from, type)]),
    ),
    orderBy: spine.orderBy.map((column) => sources.get(column) ?? column),
    thenBy: decidingColumns(request, columns).map(({ as }) => as),
  });
  const row = (select: string): Promise<readonly unknown[]> => c.row(`SELECT ${select} FROM ${JOINED}`);
  return { ...written, ...(await joinStatistics(request, row, statisticsSql(time))) };
}

/** Most labels that one key tuple has. */
async function mostLabels(c: Connection, { name }: KeyTable): Promise<number> {
  const [most] = await c.row(`SELECT coalesce(max(labels), 0) FROM ${name}`);
  return Number(most);
}

/** Whether a key is a number, which needs no other. */
const isNumber = ({ on }: KeyTable): boolean =>
  on.length === 1 && on.every(({ type }) => type === 'int32' || type === 'int64');

/** The labels with a number for each key tuple, of which a table counts the labels; a NULL key has none, so it matches nothing. */
async function createSpine(
  c: Connection,
  { spine }: PointInTimeJoin,
  sources: ReadonlyMap<string, string>,
  keyTables: readonly KeyTable[],
): Promise<void> {
  const columns = [...sources].map(([column, alias]) => `${quoteIdentifier(column)} AS ${alias}`);
  const rows = await relationSql(c, spine.relation);
  await c
    .run(`CREATE TEMP TABLE ${RAW} AS SELECT ${columns.join(', ')} FROM (${rows})`)
    .catch((error: unknown) => {
      throw filterFailure(c.subject, spine.relation, error);
    });
  const joins: string[] = [];
  const ids: string[] = [];
  for (const table of keyTables) {
    const { name, id, on } = table;
    const keys = on.map(({ spine: column, type }) =>
      featureValue(sources.get(column) ?? '', columnType(spine.relation, column), type),
    );
    const tuples =
      on.length === 0
        ? `SELECT count(*) AS labels FROM ${RAW}`
        : `SELECT ${keys.map((key, i) => `${key} AS k${i}`).join(', ')}, count(*) AS labels FROM ${RAW} WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')} GROUP BY ALL`;
    const number = isNumber(table) ? 'k0' : 'row_number() OVER ()';
    await c.run(`CREATE TEMP TABLE ${name} AS SELECT *, ${number} AS id FROM (${tuples})`);
    ids.push(isNumber(table) ? `${keys.join('')} AS ${id}` : `${name}.id AS ${id}`);
    if (!isNumber(table))
      joins.push(
        `LEFT JOIN ${name} ON ${keys.map((key, i) => `${key} = ${name}.k${i}`).join(' AND ') || 'true'}`,
      );
  }
  await c.run(
    `CREATE TEMP TABLE ${SPINE} AS SELECT ${['l.*', ...ids].join(', ')} FROM ${RAW} l ${joins.join(' ')}`,
  );
  await c.run(`DROP TABLE ${RAW}`);
}

function joinedSql(
  { spine, views }: PointInTimeJoin,
  conditions: readonly JoinCondition[],
  sources: ReadonlyMap<string, string>,
  time: string | undefined,
): string {
  const columns = [...sources.values()].map((column) => `s.${column}`);
  const column = (name: string): string => `s.${sources.get(name) ?? ''}`;
  if (spine.split !== undefined)
    columns.push(`${splitSql(spine.split, column, time && `s.${time}`, SPLITS)} AS ${SPLIT}`);
  const narrow = conditions.flat().some(([label]) => label.startsWith('t.'));
  const joins = narrow ? [`LEFT JOIN ${TIMES} t ON s.rowid = t.label`] : [];
  for (const [v, view] of views.entries()) {
    const row = `r${v}`;
    columns.push(
      `${row}.event AS v${v}_event`,
      ...(view.createdTimestampField === undefined ? [] : [`${row}.created AS v${v}_created`]),
      `${row}.${conditions[v]?.[0]?.[1] ?? ''} IS NOT NULL AS v${v}_hit`,
      ...view.columns.map((_, i) => `${row}.c${i} AS v${v}_c${i}`),
    );
    const same = (conditions[v] ?? []).map(([label, column]) => `${label} = ${row}.${column}`);
    joins.push(`LEFT JOIN v${v}_rows ${row} ON ${same.join(' AND ')}`);
  }
  return `CREATE TEMP TABLE ${JOINED} AS SELECT ${columns.join(', ')} FROM ${SPINE} s ${joins.join(' ')}`;
}

const SPLITS: SplitSql = {
  instant,
  text: (column, type) =>
    type === 'timestamp'
      ? `CAST(epoch_us(${column}) AS VARCHAR)`
      : type === 'bytes'
        ? `lower(hex(${column}))`
        : `CAST(${column} AS VARCHAR)`,
  bytes: (text) => `strlen(${text})`,
  hash: (text) => `CAST('0x' || substr(md5(${text}), 1, 8) AS UBIGINT)`,
};

/** Event times are microseconds here, created times are not. */
const statisticsSql = (time: string | undefined): StatisticsSql => ({
  isLater: (column, lag) =>
    column.endsWith('_event')
      ? `${column} > epoch_us(${time ?? 'NULL'}) - ${lag}`
      : `${column} > ${time ?? 'NULL'}`,
  ages: (event, lag) => {
    const age = `epoch_us(${time ?? 'NULL'}) - ${lag} - ${event}`;
    return [`min(${age})`, `quantile_disc(${age}, 0.5)`, `max(${age})`];
  },
});
