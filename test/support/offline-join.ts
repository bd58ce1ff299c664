import type { ScalarType, Schema, ValueType } from '../../definitions/types.js';
import type { JoinedView, JoinStatistics, OfflineSession } from '../../providers/offline/provider.js';
import { relation, type OfflineFixtures } from './offline-fixtures.js';
import type { Values } from './pit-reference.js';

/** A view of a test's join: its rows, or the place of another view whose file it reads too. */
export interface TestView {
  readonly schema: Schema;
  readonly rows: readonly Values[] | number;
  /** Spine column -> feature column. */
  readonly on: Readonly<Record<string, string>>;
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  readonly ttl?: bigint;
  /** The selected columns, or pairs of column and type. */
  readonly columns: readonly (string | readonly [column: string, type: ValueType])[];
}

export interface TestJoin {
  readonly spine: {
    readonly schema: Schema;
    readonly rows: readonly Values[];
    readonly timestampField?: string;
  };
  /** Spine columns in the output. */
  readonly columns?: readonly string[];
  readonly label: string;
  readonly orderBy?: readonly string[];
  readonly views: readonly TestView[];
}

/** Writes a join's files, runs it and reads its rows, values as providers/columns.ts states them. */
export async function runJoin(
  session: OfflineSession,
  fixtures: OfflineFixtures,
  join: TestJoin,
): Promise<{ readonly rows: unknown[][]; readonly statistics: JoinStatistics; readonly parquet: string }> {
  const { spine, columns = [], label, orderBy = [label], views } = join;
  const source = relation(spine.schema, await fixtures.rows(spine.schema, spine.rows), { name: 'labels' });
  const typeOf = (schema: Schema, column: string): ValueType => schema[column] ?? 'string';
  const paths: string[] = [];
  for (const { schema, rows } of views)
    paths.push(typeof rows === 'number' ? (paths[rows] ?? '') : await fixtures.rows(schema, rows));
  const joined = views.map((view, v): JoinedView => {
    const { schema, on, timestampField, createdTimestampField, ttl } = view;
    return {
      name: `view v${v}`,
      relation: relation(schema, paths[v] ?? '', { name: `view v${v}` }),
      on: Object.entries(on).map(([s, feature]) => ({
        spine: s,
        feature,
        type: typeOf(schema, feature) as ScalarType,
      })),
      ...(timestampField === undefined ? {} : { timestampField }),
      ...(createdTimestampField === undefined ? {} : { createdTimestampField }),
      ...(ttl === undefined ? {} : { ttl }),
      columns: view.columns.map((given) => {
        const [column, type] = typeof given === 'string' ? [given, typeOf(schema, given)] : given;
        return { column, as: `v${v}__${column}`, type };
      }),
    };
  });
  const keep = columns.map((column) => ({ column, as: column, type: typeOf(spine.schema, column) }));
  const last = { column: label, as: `label_${label}`, type: typeOf(spine.schema, label) };
  const schema = Object.fromEntries(
    [...keep, ...joined.flatMap((view) => view.columns), last].map(({ as, type }) => [as, type]),
  );
  const parquet = fixtures.path();
  const statistics = await session.pointInTimeJoin({
    spine: {
      relation: source,
      ...(spine.timestampField === undefined ? {} : { timestampField: spine.timestampField }),
      columns: keep,
      label: last,
      orderBy,
    },
    views: joined,
    output: { name: 'training set x', schema, keys: [], parquet },
  });
  const rows: unknown[][] = [];
  for await (const batch of session.read(relation(schema, parquet)))
    for (let i = 0; i < batch.rows; i++) rows.push(batch.columns.map((column) => column[i]));
  return { rows, statistics, parquet };
}
