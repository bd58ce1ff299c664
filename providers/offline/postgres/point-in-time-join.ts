import { quoteName } from '../../../definitions/sql.js';
import type { JoinedView, JoinStatistics, PointInTimeJoin } from '../provider.js';
import type { StagedTable, TableOutput, TableRelation } from '../table-provider.js';
import { byBytes, convert, familyOf } from './column-types.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { stageRows, type StagedColumn } from './staged-rows.js';
import { HIDDEN } from './system-tables.js';
import {
  checkJoinColumns,
  columnType,
  featureType,
  planKeyTables,
  type KeyTable as KeyTableOf,
} from '../shape.js';
import { matchesInTime, matchView } from './view-match.js';

type Join = PointInTimeJoin<TableRelation, TableOutput>;
type View = JoinedView<TableRelation>;

const RAW = 'pit_labels';
const SPINE = 'pit_spine';
const JOINED = 'pit_joined';

/** A table of the labels' key tuples, numbered; views with the same keys share one. */
type KeyTable = KeyTableOf<View['on']>;

/**
 * The point-in-time join, in the transaction under way. Key tuples become numbers; of a view's rows that labels can meet, the one that
 * counts for each number and instant goes into a table with an index on both, in which each label looks once. So no plan multiplies
 * labels by histories.
 */
export async function joinInTime(
  c: Connection,
  schema: string,
  request: Join,
): Promise<JoinStatistics & StagedTable> {
  const { spine, views, output } = request;
  const sources = spineSources(request);
  const columns = outputColumns(request, sources);
  checkJoinColumns(output, columns);
  const { keyTables, ofView } = planKeyTables(views, 'pit_keys');
  await createSpine(c, request, sources, keyTables);
  const time = spine.timestampField === undefined ? undefined : sources.get(spine.timestampField);
  const joins: string[] = [];
  const selected = [...sources.values()].map((column) => `s.${column}`);
  for (const [v, view] of views.entries()) {
    const keys = ofView[v] as KeyTable;
    joins.push(await matchView(c, view, `v${v}`, { spine: SPINE, keys: keys.name, id: keys.id, time }));
    selected.push(
      `v${v}.event AS v${v}_event`,
      `v${v}.id IS NOT NULL AS v${v}_hit`,
      ...view.columns.map((_, i) => `v${v}.c${i} AS v${v}_c${i}`),
    );
  }
  await c.run(
    `CREATE TEMP TABLE ${JOINED} ON COMMIT DROP AS SELECT ${selected.join(', ')} FROM ${SPINE} s ${joins.join(' ')}`,
  );
  const order = [...spine.orderBy.map((column) => sources.get(column) ?? ''), ...columns.map((c) => c.value)];
  const staged = await stageRows(c, schema, output, JOINED, columns, {
    name: HIDDEN.row,
    value: `row_number() OVER (ORDER BY ${order.map((column) => `${column} NULLS FIRST`).join(', ')})`,
  });
  return { ...staged, ...(await statistics(c, views, time)) };
}

/** The columns of the labels that are needed, each once, under names that clash with nothing: s0, s1, ... */
function spineSources({ spine, views }: Join): Map<string, string> {
  const needed = [
    ...spine.columns.map(({ column }) => column),
    ...spine.orderBy,
    ...views.flatMap(({ on }) => on.map(({ spine: column }) => column)),
    ...(spine.label === undefined ? [] : [spine.label.column]),
    ...(spine.timestampField === undefined ? [] : [spine.timestampField]),
  ];
  return new Map([...new Set(needed)].map((column, i) => [column, `s${i}`]));
}

function outputColumns({ spine, views }: Join, sources: ReadonlyMap<string, string>): StagedColumn[] {
  const column = (
    relation: TableRelation,
    value: string,
    { column: name, as, type }: View['columns'][number],
  ): StagedColumn => {
    const from = featureType(relation, name, type);
    return { as, value, type, family: familyOf(from) };
  };
  const ofSpine = (output: View['columns'][number]): StagedColumn =>
    column(spine.relation, sources.get(output.column) ?? '', output);
  return [
    ...spine.columns.map(ofSpine),
    ...views.flatMap((view, v) => view.columns.map((out, i) => column(view.relation, `v${v}_c${i}`, out))),
    ...(spine.label === undefined ? [] : [ofSpine(spine.label)]),
  ];
}

/** The labels with a number for each key tuple; a NULL key has none, so it matches nothing. */
async function createSpine(
  c: Connection,
  { spine }: Join,
  sources: ReadonlyMap<string, string>,
  keyTables: readonly KeyTable[],
): Promise<void> {
  const columns = [...sources].map(
    ([column, alias]) =>
      `${byBytes(`l.${quoteName(column)}`, columnType(spine.relation, column))} AS ${alias}`,
  );
  await c.run(
    `CREATE TEMP TABLE ${RAW} ON COMMIT DROP AS SELECT ${columns.join(', ')} FROM (${await relationSql(c, spine.relation)}) l`,
  );
  const joins: string[] = [];
  for (const { name, on } of keyTables) {
    const keys = on.map(({ spine: column, type }) =>
      convert(`l.${sources.get(column) ?? ''}`, type, familyOf(columnType(spine.relation, column))),
    );
    const present = keys.map((key) => `${key} IS NOT NULL`).join(' AND ') || 'true';
    const tuples =
      keys.length === 0
        ? 'SELECT 1'
        : `SELECT DISTINCT ${keys.map((key, i) => `${key} AS k${i}`).join(', ')} FROM ${RAW} l WHERE ${present}`;
    await c.run(
      `CREATE TEMP TABLE ${name} ON COMMIT DROP AS SELECT *, row_number() OVER () AS id FROM (${tuples}) t`,
    );
    await c.run(`ANALYZE ${name}`);
    joins.push(
      `LEFT JOIN ${name} ON ${keys.map((key, i) => `${key} = ${name}.k${i}`).join(' AND ') || 'true'}`,
    );
  }
  const ids = keyTables.map(({ name, id }) => `${name}.id AS ${id}`);
  await c.run(
    `CREATE TEMP TABLE ${SPINE} ON COMMIT DROP AS SELECT ${['l.*', ...ids].join(', ')} FROM ${RAW} l ${joins.join(' ')}`,
  );
  await c.run(`ANALYZE ${SPINE}`);
}

/** Counted over the joined rows themselves, by the event time of the row whose values they carry. */
async function statistics(
  c: Connection,
  views: readonly View[],
  time: string | undefined,
): Promise<Pick<JoinStatistics, 'matched' | 'leaked'>> {
  if (views.length === 0) return { matched: [], leaked: 0 };
  const matched = views.map((_, v) => `count(*) FILTER (WHERE v${v}_hit)`);
  const later = views.flatMap((view, v) =>
    matchesInTime(view, time) ? [`count(*) FILTER (WHERE v${v}_event > ${time ?? ''})`] : [],
  );
  const counts = (await c.row(`SELECT ${[...matched, ...later].join(', ')} FROM ${JOINED}`)).map(Number);
  return {
    matched: counts.slice(0, views.length),
    leaked: counts.slice(views.length).reduce((sum, n) => sum + n, 0),
  };
}
