import type { ValueType } from '../../../definitions/types.js';
import type { FileRelation, JoinedView, JoinStatistics, PointInTimeJoin } from '../provider.js';
import { engineType, misfit } from './column-types.js';
import type { Connection } from './connection.js';
import {
  checkJoinColumns,
  columnType,
  featureType,
  planKeyTables,
  type KeyTable as KeyTableOf,
} from '../shape.js';
import { featureValue } from './feature-columns.js';
import { writeOrdered } from './ordered-output.js';
import { relationSql } from './relation-sql.js';
import { checkRows } from '../rows-check.js';
import { quoteIdentifier } from './sql-text.js';
import { matchesInTime, matchView } from './view-match.js';

const RAW = '__labels';
const SPINE = '__spine';
const JOINED = '__joined';

/** A column of the joined table: its name there, its name in the output, its type before and in the output. */
interface JoinedColumn {
  readonly column: string;
  readonly as: string;
  readonly from: ValueType;
  readonly type: ValueType;
}

/** A table of the labels' key tuples, numbered; views with the same keys share one. */
type KeyTable = KeyTableOf<JoinedView['on']>;

/**
 * The point-in-time join. Key tuples become numbers; a view's rows are matched by number and time alone (ASOF over two
 * narrow columns); only then are the values of the matched instants read, and ties among them decided. So no plan
 * multiplies labels by histories, and memory grows with the labels, not with the features.
 */
export async function joinInTime(c: Connection, request: PointInTimeJoin): Promise<JoinStatistics> {
  const { spine, views, output } = request;
  const sources = spineSources(request);
  const columns = outputColumns(request, sources);
  checkJoinColumns(request.output, columns);
  const { keyTables, ofView } = planKeyTables(views, 'keys');
  await createSpine(c, request, sources, keyTables);
  const time = spine.timestampField === undefined ? undefined : sources.get(spine.timestampField);
  const range =
    time === undefined
      ? []
      : await c.row(`SELECT epoch_us(min(${time})), epoch_us(max(${time})) FROM ${SPINE}`);
  for (const [v, view] of views.entries()) {
    const keys = ofView[v];
    if (keys) await matchView(c, view, `v${v}`, { table: SPINE, id: keys.id, keys: keys.name, time, range });
  }
  await c.run(joinedSql(views, ofView, [...sources.values()], time));
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
  });
  return { ...written, ...(await statistics(c, views, time)) };
}

/** The columns of the labels that are needed, each once, under names that clash with nothing: s0, s1, ... */
function spineSources({ spine, views }: PointInTimeJoin): Map<string, string> {
  const needed = [
    ...spine.columns.map(({ column }) => column),
    ...spine.orderBy,
    ...views.flatMap(({ on }) => on.map(({ spine: column }) => column)),
    ...(spine.label === undefined ? [] : [spine.label.column]),
    ...(spine.timestampField === undefined ? [] : [spine.timestampField]),
  ];
  const unique = [...new Set(needed)];
  for (const column of unique) columnType(spine.relation, column);
  return new Map(unique.map((column, i) => [column, `s${i}`]));
}

function outputColumns(
  { spine, views }: PointInTimeJoin,
  sources: ReadonlyMap<string, string>,
): JoinedColumn[] {
  const typed = (
    relation: FileRelation,
    column: string,
    output: JoinedView['columns'][number],
  ): JoinedColumn => ({
    column,
    as: output.as,
    type: output.type,
    from: featureType(relation, output.column, output.type),
  });
  const ofSpine = (output: JoinedView['columns'][number]): JoinedColumn =>
    typed(spine.relation, sources.get(output.column) ?? '', output);
  return [
    ...spine.columns.map(ofSpine),
    ...views.flatMap(({ relation, columns }, v) =>
      columns.map((output, i) => typed(relation, `v${v}_c${i}`, output)),
    ),
    ...(spine.label === undefined ? [] : [ofSpine(spine.label)]),
  ];
}

/** The labels with a number for each key tuple; a NULL key has none, so it matches nothing. */
async function createSpine(
  c: Connection,
  { spine }: PointInTimeJoin,
  sources: ReadonlyMap<string, string>,
  keyTables: readonly KeyTable[],
): Promise<void> {
  const columns = [...sources].map(([column, alias]) => `${quoteIdentifier(column)} AS ${alias}`);
  await c.run(
    `CREATE TEMP TABLE ${RAW} AS SELECT ${columns.join(', ')} FROM (${await relationSql(c, spine.relation)})`,
  );
  const joins: string[] = [];
  for (const { name, on } of keyTables) {
    const keys = on.map(({ spine: column, type }) =>
      featureValue(sources.get(column) ?? '', columnType(spine.relation, column), type),
    );
    const tuples =
      on.length === 0
        ? 'SELECT 1 AS one'
        : `SELECT DISTINCT ${keys.map((key, i) => `${key} AS k${i}`).join(', ')} FROM ${RAW} WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')}`;
    await c.run(`CREATE TEMP TABLE ${name} AS SELECT *, row_number() OVER () AS id FROM (${tuples})`);
    joins.push(
      `LEFT JOIN ${name} ON ${keys.map((key, i) => `${key} = ${name}.k${i}`).join(' AND ') || 'true'}`,
    );
  }
  const ids = keyTables.map(({ name, id }) => `${name}.id AS ${id}`);
  await c.run(
    `CREATE TEMP TABLE ${SPINE} AS SELECT ${['l.*', ...ids].join(', ')} FROM ${RAW} l ${joins.join(' ')}`,
  );
  await c.run(`DROP TABLE ${RAW}`);
}

function joinedSql(
  views: readonly JoinedView[],
  keyTables: readonly KeyTable[],
  spineColumns: readonly string[],
  time: string | undefined,
): string {
  const columns = spineColumns.map((column) => `s.${column}`);
  const joins: string[] = [];
  for (const [v, view] of views.entries()) {
    const row = `r${v}`;
    columns.push(`${row}.event AS v${v}_event`, ...view.columns.map((_, i) => `${row}.c${i} AS v${v}_c${i}`));
    if (matchesInTime(view, time)) {
      joins.push(`LEFT JOIN v${v}_match m${v} ON s.rowid = m${v}.label`);
      joins.push(`LEFT JOIN v${v}_rows ${row} ON m${v}.id = ${row}.id AND m${v}.event = ${row}.event`);
    } else joins.push(`LEFT JOIN v${v}_rows ${row} ON s.${keyTables[v]?.id ?? ''} = ${row}.id`);
    columns.push(`${row}.id IS NOT NULL AS v${v}_hit`);
  }
  return `CREATE TEMP TABLE ${JOINED} AS SELECT ${columns.join(', ')} FROM ${SPINE} s ${joins.join(' ')}`;
}

/** Counted over the joined rows themselves, by the event time of the row whose values they carry. */
async function statistics(
  c: Connection,
  views: readonly JoinedView[],
  time: string | undefined,
): Promise<Pick<JoinStatistics, 'matched' | 'leaked'>> {
  if (views.length === 0) return { matched: [], leaked: 0 };
  const matched = views.map((_, v) => `count(*) FILTER (WHERE v${v}_hit)`);
  const later =
    time === undefined ? [] : views.map((_, v) => `count(*) FILTER (WHERE v${v}_event > ${time})`);
  const counts = (await c.row(`SELECT ${[...matched, ...later].join(', ')} FROM ${JOINED}`)).map(Number);
  return {
    matched: counts.slice(0, views.length),
    leaked: counts.slice(views.length).reduce((sum, n) => sum + n, 0),
  };
}
