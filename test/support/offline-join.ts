import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ScalarType, Schema, ValueType } from '../../definitions/types.js';
import type { ColumnBatch } from '../../providers/columns.js';
import type {
  FileRelation,
  JoinedView,
  JoinStatistics,
  OfflineProvider,
  OutputShape,
  PointInTimeJoin,
  Relation,
  RowSplit,
} from '../../providers/offline/provider.js';
import { OfflineFixtures, openSession, relation } from './offline-fixtures.js';
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
  readonly lag?: bigint;
  /** The selected columns, or pairs of column and type. */
  readonly columns: readonly (string | readonly [column: string, type: ValueType])[];
}

export interface TestJoin {
  readonly spine: {
    readonly schema: Schema;
    readonly rows: readonly Values[];
    readonly timestampField?: string;
    readonly where?: string;
    readonly split?: RowSplit;
  };
  readonly knownAt?: boolean;
  /** Spine columns in the output. */
  readonly columns?: readonly string[];
  readonly label: string;
  readonly orderBy?: readonly string[];
  readonly views: readonly TestView[];
}

/** Where a suite's joins run: DuckDB over files, Postgres over tables. */
export interface JoinEngine<R extends Relation = Relation> {
  /** Puts rows where the engine reads them. */
  place(name: string, schema: Schema, rows: readonly Values[]): Promise<R>;
  /** Joins, and reads the rows in their order, values as providers/columns.ts states them. */
  join(request: PointInTimeJoin<R, OutputShape>): Promise<JoinedRows>;
  close(): Promise<void>;
}

export interface JoinedRows {
  readonly rows: unknown[][];
  readonly statistics: JoinStatistics;
  /** Equal for equal stored rows in an equal order. */
  readonly digest: string;
}

/** Places a join's rows, runs it and reads what it made. */
export async function runJoin<R extends Relation>(
  engine: JoinEngine<R>,
  join: TestJoin,
): Promise<JoinedRows> {
  const { spine, columns = [], label, orderBy = [label], views } = join;
  const source = await engine.place('labels', spine.schema, spine.rows);
  const typeOf = (schema: Schema, column: string): ValueType => schema[column] ?? 'string';
  const placed: R[] = [];
  for (const [v, { schema, rows }] of views.entries()) {
    const known = typeof rows === 'number' ? placed[rows] : undefined;
    placed.push(
      known === undefined ? await engine.place(`view v${v}`, schema, rows as readonly Values[]) : known,
    );
  }
  const joined = views.map((view, v): JoinedView<R> => {
    const { schema, on, timestampField, createdTimestampField, ttl, lag } = view;
    return {
      name: `view v${v}`,
      relation: { ...(placed[v] as R), name: `view v${v}`, schema },
      on: Object.entries(on).map(([s, feature]) => ({
        spine: s,
        feature,
        type: typeOf(schema, feature) as ScalarType,
      })),
      ...(timestampField === undefined ? {} : { timestampField }),
      ...(createdTimestampField === undefined ? {} : { createdTimestampField }),
      ...(ttl === undefined ? {} : { ttl }),
      ...(lag === undefined ? {} : { lag }),
      columns: view.columns.map((given) => {
        const [column, type] = typeof given === 'string' ? [given, typeOf(schema, given)] : given;
        return { column, as: `v${v}__${column}`, type };
      }),
    };
  });
  const keep = columns.map((column) => ({ column, as: column, type: typeOf(spine.schema, column) }));
  const last = { column: label, as: `label_${label}`, type: typeOf(spine.schema, label) };
  const part = spine.split === undefined ? [] : [{ as: 'split', type: 'string' } as const];
  const schema = Object.fromEntries(
    [...part, ...keep, ...joined.flatMap((view) => view.columns), last].map(({ as, type }) => [as, type]),
  );
  return await engine.join({
    spine: {
      relation: spine.where === undefined ? source : { ...source, where: spine.where },
      ...(spine.timestampField === undefined ? {} : { timestampField: spine.timestampField }),
      columns: keep,
      label: last,
      orderBy,
      ...(spine.split === undefined ? {} : { split: spine.split }),
    },
    views: joined,
    ...(join.knownAt === undefined ? {} : { knownAt: join.knownAt }),
    output: { name: 'training set x', schema, keys: [] },
  });
}

/** The joins of a provider over Parquet files. */
export async function fileJoins(provider: OfflineProvider): Promise<JoinEngine<FileRelation>> {
  const fixtures = new OfflineFixtures();
  const session = await openSession(provider, fixtures);
  return {
    place: async (name, schema, rows) => relation(schema, await fixtures.rows(schema, rows), { name }),
    async join({ output, ...request }) {
      const parquet = fixtures.path();
      const statistics = await session.pointInTimeJoin({ ...request, output: { ...output, parquet } });
      const digest = createHash('sha256')
        .update(await readFile(parquet))
        .digest('hex');
      return { statistics, digest, rows: await allRows(session.read(relation(output.schema, parquet))) };
    },
    async close() {
      await session.close();
      fixtures.remove();
    },
  };
}

/** The rows of some batches. */
export async function allRows(batches: AsyncIterable<ColumnBatch>): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  for await (const batch of batches)
    for (let i = 0; i < batch.rows; i++) rows.push(batch.columns.map((column) => column[i]));
  return rows;
}
