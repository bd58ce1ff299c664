import { quoteName } from '../../../definitions/sql.js';
import { Timestamp } from '../../../definitions/timestamp.js';
import { literal } from '../duckdb/sql-text.js';
import {
  decidingColumns,
  joinColumns,
  joinStatistics,
  planKeyTables,
  SPLIT,
  spineSources,
  type KeyTable as KeyTableOf,
  type StatisticsSql,
} from '../join-shape.js';
import { splitSql, type SplitSql } from '../join-split.js';
import type { JoinedView, JoinStatistics, PointInTimeJoin } from '../provider.js';
import { columnType, filterFailure } from '../shape.js';
import type { StagedTable, TableOutput, TableRelation } from '../table-provider.js';
import { byBytes, convert, familyOf } from './column-types.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { earlier, microsSql } from './sql-text.js';
import { stageRows } from './staged-rows.js';
import { HIDDEN } from './system-tables.js';
import { matchView } from './view-match.js';

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
  const { spine, views, output, knownAt = false } = request;
  const sources = spineSources(request);
  const columns = joinColumns(request, sources);
  const { keyTables, ofView } = planKeyTables(views, 'pit_keys');
  await createSpine(c, request, sources, keyTables);
  const time = spine.timestampField === undefined ? undefined : sources.get(spine.timestampField);
  const joins: string[] = [];
  const selected = [...sources.values()].map((column) => `s.${column}`);
  if (spine.split !== undefined) {
    const column = (name: string): string => `s.${sources.get(name) ?? ''}`;
    selected.push(`${splitSql(spine.split, column, time && `s.${time}`, SPLITS)} AS ${SPLIT}`);
  }
  for (const [v, view] of views.entries()) {
    const keys = ofView[v] as KeyTable;
    const labels = { spine: SPINE, keys: keys.name, id: keys.id, time, knownAt };
    joins.push(await matchView(c, view, `v${v}`, labels));
    selected.push(
      `v${v}.event AS v${v}_event`,
      `v${v}.created AS v${v}_created`,
      `v${v}.id IS NOT NULL AS v${v}_hit`,
      ...view.columns.map((_, i) => `v${v}.c${i} AS v${v}_c${i}`),
    );
  }
  await c.run(
    `CREATE TEMP TABLE ${JOINED} ON COMMIT DROP AS SELECT ${selected.join(', ')} FROM ${SPINE} s ${joins.join(' ')}`,
  );
  const staged = await stageRows(
    c,
    schema,
    output,
    JOINED,
    columns.map(({ column, as, from, type }) => ({ as, value: column, type, family: familyOf(from) })),
    {
      name: HIDDEN.row,
      value: `row_number() OVER (ORDER BY ${[
        ...spine.orderBy.map((column) => sources.get(column) ?? ''),
        ...decidingColumns(request, columns).map(({ column }) => column),
      ]
        .map((column) => `${column} NULLS FIRST`)
        .join(', ')})`,
    },
  );
  const row = (select: string): Promise<readonly unknown[]> => c.row(`SELECT ${select} FROM ${JOINED}`);
  return { ...staged, ...(await joinStatistics(request, row, statisticsSql(time))) };
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
  const rows = await relationSql(c, spine.relation);
  await c
    .run(`CREATE TEMP TABLE ${RAW} ON COMMIT DROP AS SELECT ${columns.join(', ')} FROM (${rows}) l`)
    .catch((error: unknown) => {
      throw filterFailure(c.subject, spine.relation, error);
    });
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

const SPLITS: SplitSql = {
  instant: (micros) => `timestamptz ${literal(new Timestamp(micros).toString())}`,
  text: (column, type) =>
    type === 'timestamp'
      ? `CASE WHEN isfinite(${column}) THEN ${microsSql(column)}::text END`
      : type === 'bytes'
        ? `encode(${column}, 'hex')`
        : `${column}::text`,
  bytes: (text) => `octet_length(convert_to(${text}, 'UTF8'))`,
  hash: (text) => `('x' || substr(md5(convert_to(${text}, 'UTF8')), 1, 8))::bit(32)::bigint`,
};

/** Intervals, which Postgres compares to the microsecond, and makes microseconds of three of them only. */
const statisticsSql = (time: string | undefined): StatisticsSql => {
  const label = (lag: bigint): string => earlier(time ?? 'NULL', lag);
  return {
    isLater: (column, lag) => `${column} > ${label(lag)}`,
    ages: (event, lag) => {
      // Postgres before 17 cannot subtract from an infinite time.
      const age = `CASE WHEN isfinite(${time ?? 'NULL'}) THEN ${label(lag)} - ${event} END`;
      return [
        microsSql(`min(${age})`),
        microsSql(`percentile_disc(0.5) WITHIN GROUP (ORDER BY ${age})`),
        microsSql(`max(${age})`),
      ];
    },
  };
};
