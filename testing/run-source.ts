import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHandler } from '../activities/handler.js';
import type { Checkpoint } from '../definitions/built-source.js';
import { compile, type CompiledProject } from '../definitions/compile.js';
import { handlerOf } from '../definitions/contract-file.js';
import { isKind, isRaw, orderedSchema, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { durationMicros, type Interval } from '../definitions/interval.js';
import { defineProject } from '../definitions/project.js';
import type { AnySource, Source } from '../definitions/source.js';
import { fillSql, quoteName } from '../definitions/sql.js';
import { Timestamp } from '../definitions/timestamp.js';
import { isRowRule, stops } from '../definitions/validation.js';
import type { Row, Schema } from '../definitions/types.js';
import { duckdbOfflineProvider } from '../providers/offline/duckdb/provider.js';
import type { FileRelation, OfflineSession } from '../providers/offline/provider.js';
import { rowsOf } from '../providers/rows.js';

/** A fixture row: any column may be left out (NULL); timestamps may be texts, Dates or Timestamps. */
export type FixtureRow = Readonly<Record<string, unknown>>;

/** What a run on fixtures needs. */
export interface FixtureRun {
  readonly interval: Interval;
  /** Source name -> rows. Every input of the definition must be there, if only as []. */
  readonly inputs: Readonly<Record<string, readonly FixtureRow[]>>;
}

/**
 * Runs the build of a feature set, or a transformation, on fixture rows for an interval: the same engine, the same checks of types, keys and
 * validation rules over the rows as in a run, no server; a rule that only warns is let pass. Resolves to the rows in the order in which they would be stored.
 * @throws GranaryError as the run would: `SchemaMismatch`, `NullKey`, `ValidationFailed`, `QueryFailed`, ...
 */
export async function runOnFixtures<S extends Schema>(
  source: Source<S>,
  fixtures: FixtureRun,
): Promise<Row<S>[]> {
  const project = compile(
    defineProject({
      name: 'fixtures',
      resources: [source as AnySource],
      environments: { test: { bind: {} } },
    }),
  );
  const resource = [...project.resources.values()].find(
    (r): r is Resource<'source'> => isKind(r, 'source') && r.name === source.name,
  );
  if (!resource) throw new GranaryError('InvalidInput', `${source.name} is no source.`);
  return (await runResource(project, resource, fixtures)) as Row<S>[];
}

/**
 * As {@link runOnFixtures}, of a feature set or a transformation of a project that is compiled already.
 * @throws GranaryError as the run would.
 */
export async function runResource(
  project: CompiledProject,
  resource: Resource<'source'>,
  fixtures: FixtureRun,
): Promise<Row[]> {
  const { spec, name } = resource;
  if (isRaw(spec))
    throw new GranaryError('InvalidInput', `${name} is not built; give a feature set or a transformation.`);
  if (spec.engine === 'postgres')
    throw new GranaryError(
      'InvalidInput',
      `${name} is SQL of Postgres, and fixtures run in DuckDB. Run it against a database of its own.`,
    );
  const folder = await mkdtemp(join(tmpdir(), 'granary-fixtures-'));
  const session = await duckdbOfflineProvider().open({
    scratch: join(folder, 'spill'),
    memoryLimit: '512MiB',
    threads: 1,
    signal: new AbortController().signal,
  });
  try {
    const inputs: Record<string, FileRelation> = {};
    for (const [alias, id] of Object.entries(spec.inputs)) {
      const input = project.resources.get(id) as Resource<'source'>;
      const rows = fixtures.inputs[input.name] ?? fixtures.inputs[alias];
      if (!rows)
        throw new GranaryError(
          'InvalidInput',
          `No fixture rows are given for "${input.name}". Write inputs: { ${input.name}: [ ... ] }.`,
        );
      inputs[alias] = await fixtureRelation(session, folder, input, rows, spec.lookback, fixtures.interval);
    }
    const schema = orderedSchema(spec);
    const output = {
      name,
      schema,
      keys: spec.keys,
      ...(spec.timestampField === undefined ? {} : { timestampField: spec.timestampField }),
      parquet: join(folder, 'out.parquet'),
    };
    if ('sql' in spec.build)
      await session.query({
        sql: fillSql(spec.build.sql, fixtures.interval, quoteName),
        inputs,
        output,
        deterministic: true,
      });
    else {
      const handler = handlerOf(project, resource);
      if (!handler)
        throw new GranaryError(
          'HandlerMissing',
          `${name} is built by TypeScript, and a contract has no code. Give the project's own file.`,
        );
      const writer = await session.writer(output);
      await runHandler(name, handler, session, writer, inputs, {
        interval: fixtures.interval,
        checkpoint: memoryCheckpoint(),
        signal: new AbortController().signal,
      });
      await writer.finish();
    }
    const written: FileRelation = {
      name,
      format: 'parquet',
      files: [{ path: output.parquet, uri: output.parquet, generation: 0 }],
      schema,
    };
    // Rules that look at other versions or at the time have nothing to look at here.
    const failed = (await session.validate(written, spec.validate.filter(isRowRule))).filter(stops);
    if (failed.length > 0)
      throw new GranaryError(
        'ValidationFailed',
        `${name}: ${failed.map((result) => result.message).join('; ')}`,
        { details: { failed } },
      );
    const rows: Row[] = [];
    for await (const row of rowsOf(session.read(written), schema)) rows.push(row);
    return rows;
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function fixtureRelation(
  session: OfflineSession,
  folder: string,
  input: Resource<'source'>,
  rows: readonly FixtureRow[],
  lookback: string | undefined,
  interval: Interval,
): Promise<FileRelation> {
  const schema = orderedSchema(input.spec);
  const parquet = join(folder, `${input.name}.parquet`);
  const writer = await session.writer({ name: `fixture ${input.name}`, schema, keys: [], parquet });
  await writer.append(rows.map((row) => complete(row, schema)));
  await writer.finish();
  const { timestampField } = input.spec;
  const from =
    lookback === undefined
      ? undefined
      : Timestamp.from(interval.start).plus(-durationMicros(lookback)).toString();
  return {
    name: `fixture ${input.name}`,
    format: 'parquet',
    files: [{ path: parquet, uri: `fixture ${input.name}`, generation: 0 }],
    schema,
    // Raw sources are cut by their timestamps, as in a run; versions belong to their interval.
    ...(timestampField === undefined || !isRaw(input.spec)
      ? {}
      : { timestampField, before: interval.end, ...(from === undefined ? {} : { from }) }),
  };
}

/** The row with every column: what a fixture leaves out is NULL, a whole number may stand for an int64. */
function complete(row: FixtureRow, schema: Schema): Record<string, unknown> {
  const unknown = Object.keys(row).find((column) => !Object.hasOwn(schema, column));
  if (unknown !== undefined)
    throw new GranaryError(
      'InvalidInput',
      `A fixture row has the column "${unknown}", which its source does not declare.`,
    );
  return Object.fromEntries(Object.keys(schema).map((column) => [column, row[column] ?? null]));
}

/** A checkpoint that lives as long as the call: nothing is lost, nothing is kept. */
function memoryCheckpoint(): Checkpoint {
  let value: unknown;
  return {
    get value() {
      return value;
    },
    save: (kept) => {
      value = kept;
      return Promise.resolve();
    },
  };
}
