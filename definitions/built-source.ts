import { deadlineOf, type Deadline } from './deadline.js';
import { durationMicros } from './interval.js';
import { checkName } from './names.js';
import type { PostgresProvider } from './postgres.js';
import type { FileStore } from './provider.js';
import {
  checkColumn,
  checkSchema,
  checkTimestamps,
  type AnySource,
  type Source,
  type Versioned,
} from './source.js';
import type { SqlTemplate } from './sql.js';
import type { ColumnOf, Row, Schema } from './types.js';
import { checkFreshness, ruleColumns, type ValidationRule } from './validation.js';
import type { Interval } from './interval.js';

/** One input of a TypeScript build. */
export interface BuildInput<S extends Schema = Schema> {
  /** Streams the input's rows for the interval, in file order, with back-pressure. */
  rows(): AsyncIterable<Row<S>>;
}

/** Where a TypeScript build stands, so that a new attempt goes on instead of beginning anew. */
export interface Checkpoint {
  /** What the last {@link Checkpoint.save} kept; undefined at the beginning. Plain JSON. */
  readonly value: unknown;
  /** Keeps all rows yielded so far and `value`; a later attempt has both. */
  save(value: unknown): Promise<void>;
}

/** What a TypeScript build gets. */
export interface BuildContext<I extends Record<string, AnySource> = Record<string, AnySource>> {
  readonly inputs: { readonly [K in keyof I]: BuildInput<I[K]['schema']> };
  readonly interval: Interval;
  readonly checkpoint: Checkpoint;
  /** Aborted when the run is cancelled or the worker shuts down. */
  readonly signal: AbortSignal;
}

/** Yields rows, arrays of rows, or Arrow batches or tables. Safe to run again from its last checkpoint. */
export type BuildFunction<
  S extends Schema = Schema,
  I extends Record<string, AnySource> = Record<string, AnySource>,
> = (context: BuildContext<I>) => AsyncIterable<Row<S> | readonly Row<S>[] | ArrowRows>;

/** Arrow's RecordBatch or Table, without importing it here. */
export interface ArrowRows {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly unknown[] };
}

interface CommonOptions<S extends Schema> extends Versioned {
  readonly schema: S;
  /** Columns that identify an entity: never NULL, first in the order of rows. */
  readonly keys?: readonly ColumnOf<S>[];
  readonly createdTimestampField?: ColumnOf<S, 'timestamp'>;
  /**
   * How far before the interval's start the inputs reach: input rows in `[start - lookback, end)`. Default: all rows
   * before the end.
   */
  readonly lookback?: string;
  /** Rules over each version: one that fails stops its publication, but for those given to `warn`. */
  readonly validate?: readonly ValidationRule<ColumnOf<S>>[];
  /** `false` lets floating-point aggregates use all threads; equal inputs may then give other bytes. Default true. */
  readonly deterministic?: boolean;
  /** The longest one attempt of the build may take, such as `'2h'`. */
  readonly timeout?: string;
  /** By when after an interval's end the build must be done; a text is `cancel`. Default: no deadline. */
  readonly deadline?: string | Deadline;
}

export interface TransformationOptions<S extends Schema> extends CommonOptions<S> {
  /** SQL in the dialect of where it runs: DuckDB's, or Postgres's. A plain text with `{{name}}` must list its `inputs`. */
  readonly query: SqlTemplate | string;
  readonly inputs?: Readonly<Record<string, AnySource | string>>;
  /** When a row happened. Without it the output is constant in time. */
  readonly timestampField?: ColumnOf<S, 'timestamp'>;
}

export interface FeatureSetOptions<
  S extends Schema,
  I extends Record<string, AnySource>,
> extends CommonOptions<S> {
  readonly store: FileStore | string;
  /** What the build reads. May be left out where `build` is `sql`, which names its inputs itself. */
  readonly inputs?: I;
  readonly timestampField: ColumnOf<S, 'timestamp'>;
  /** SQL in DuckDB's dialect, or an async generator of rows. */
  readonly build: SqlTemplate | string | BuildFunction<S, I>;
  /** Raise it when the code of a TypeScript build changes its meaning. */
  readonly codeVersion?: string;
  /** Fields of the user's own in each version's metadata.json. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

/** A source that a run builds: a feature set, or a transformation's output. A version holds the rows of one interval. */
export interface BuiltSource<S extends Schema = Schema> extends Versioned {
  readonly kind: 'source';
  readonly type: 'featureSet' | 'transformation';
  readonly name: string;
  readonly store: FileStore | PostgresProvider;
  readonly schema: S;
  readonly inputs: Readonly<Record<string, AnySource | string>>;
  readonly query: SqlTemplate | string | undefined;
  readonly handler: BuildFunction | undefined;
  readonly timestampField: string | undefined;
  readonly createdTimestampField: string | undefined;
  readonly keys: readonly string[];
  readonly lookback: string | undefined;
  readonly validate: readonly ValidationRule[];
  readonly deterministic: boolean;
  readonly timeout: string | undefined;
  readonly deadline: Deadline | undefined;
  readonly codeVersion: string | undefined;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** Declares SQL over other sources whose output is stored a version an interval; users call `store.sql(...)`. */
export function transformation<S extends Schema>(
  name: string,
  store: FileStore | PostgresProvider,
  options: TransformationOptions<S>,
): Source<S> {
  return built('transformation', name, store, {
    ...options,
    inputs: options.inputs ?? {},
    handler: undefined,
    codeVersion: undefined,
    metadata: {},
  });
}

/** Checks and makes a built source; users call `featureSet` or `sql`. */
export function built<S extends Schema>(
  type: BuiltSource['type'],
  name: string,
  store: FileStore | PostgresProvider,
  options: CommonOptions<S> &
    Pick<BuiltSource, 'query' | 'handler' | 'codeVersion' | 'metadata' | 'inputs'> & {
      readonly timestampField?: string;
    },
): BuiltSource<S> {
  const what = `${type === 'featureSet' ? 'feature set' : 'transformation'} ${name}`;
  checkName('source', name);
  checkSchema(what, options.schema);
  checkTimestamps(what, options.schema, options);
  for (const key of options.keys ?? []) checkColumn(`${what}, keys`, options.schema, key);
  for (const rule of options.validate ?? [])
    for (const column of ruleColumns(rule))
      checkColumn(`${what}, validate ${rule.rule}`, options.schema, column);
  checkFreshness(what, options.validate ?? [], options.timestampField, 'name it as its timestampField');
  if (options.lookback !== undefined) durationMicros(options.lookback);
  if (options.timeout !== undefined) durationMicros(options.timeout);
  return Object.freeze({
    createdTimestampField: undefined,
    lookback: undefined,
    timeout: undefined,
    ...options,
    kind: 'source',
    type,
    name,
    store,
    timestampField: options.timestampField,
    keys: options.keys ?? [],
    validate: options.validate ?? [],
    deterministic: options.deterministic ?? true,
    deadline: deadlineOf(what, options.deadline),
  });
}
