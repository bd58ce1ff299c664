import type { RecordBatch, Table } from 'apache-arrow';
import type { Split } from '../../definitions/split.js';
import type { ScalarType, Schema, ValueType } from '../../definitions/types.js';
import type { Profile } from '../../definitions/profile.js';
import type { RowRule, RuleResult } from '../../definitions/validation.js';
import type { ColumnBatch } from '../columns.js';

/** Rows that a query or a join reads, wherever they lie. */
export interface Relation {
  /** What messages call it: `source flights`. */
  readonly name: string;
  /** The declared columns; the files or the table may have more. */
  readonly schema: Schema;
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  /** Only rows with `from <= timestampField < before`; ISO-8601 in UTC. Needs `timestampField`. */
  readonly from?: string;
  readonly before?: string;
  /** Only rows for which this SQL condition over its columns holds, in the engine's dialect. */
  readonly where?: string;
}

/** Rows in files. */
export interface FileRelation extends Relation {
  readonly format: 'parquet' | 'csv';
  readonly files: readonly RelationFile[];
}

export interface RelationFile {
  /** A path on this machine's disk. */
  readonly path: string;
  /** The address that messages show. */
  readonly uri: string;
  /** The generation of the version that the file belongs to; 0 for a raw source. */
  readonly generation: number;
}

/** What a step writes. -0.0 is written as 0.0: engines hold them for equal and give back either. */
export interface OutputShape {
  /** What messages call it: `feature set airport_features`. */
  readonly name: string;
  /** The columns to write, in order. The rows must have exactly these; types must fit. */
  readonly schema: Schema;
  /** Columns that come first in the order of rows and may not be NULL. */
  readonly keys: readonly string[];
  /** The event timestamp: must be a column of type `timestamp` and never NULL. Undefined: rows have none. */
  readonly timestampField?: string;
}

/** The columns of a file or a table by name, with the engine's words for their types. */
export type FoundColumns = Readonly<Record<string, string>>;

/** A Parquet file of rows in their order. */
export interface WrittenFile {
  /** What messages call it. */
  readonly name: string;
  readonly schema: Schema;
  readonly parquet: string;
}

/** One Parquet file and, where asked, the same rows as CSV. */
export interface Output extends OutputShape {
  readonly parquet: string;
  readonly csv?: string;
}

export interface WrittenTable {
  readonly rows: number;
  /** Smallest and largest event timestamp, ISO-8601 in UTC; undefined without rows or without a timestamp field. */
  readonly eventTimes?: { readonly min: string; readonly max: string };
}

export interface QueryRequest<R extends Relation = FileRelation, O extends OutputShape = Output> {
  /** SQL with the inputs' view names in place. */
  readonly sql: string;
  /** View name -> rows. */
  readonly inputs: Readonly<Record<string, R>>;
  readonly output: O;
  /**
   * The same input gives the same bytes: a query with floating-point values anywhere runs on one thread. Costs speed
   * on large inputs; `false` lifts it.
   */
  readonly deterministic: boolean;
}

/** One feature view's side of a point-in-time join. */
export interface JoinedView<R extends Relation = FileRelation> {
  /** What messages call it. */
  readonly name: string;
  readonly relation: R;
  /** Pairs of columns that must be equal; a NULL matches nothing. */
  readonly on: readonly { readonly spine: string; readonly feature: string; readonly type: ScalarType }[];
  /** Without it the view is constant. */
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  /** Microseconds; 0 or undefined: no limit. */
  readonly ttl?: bigint;
  /** Microseconds before the label's time at which the values are taken; 0 or undefined: at the label's time. */
  readonly lag?: bigint;
  /** The selected columns in the view's definition order, which decides ties, their name in the output, and the type to write. */
  readonly columns: readonly { readonly column: string; readonly as: string; readonly type: ValueType }[];
}

/**
 * Which part of a training set a row belongs to, `train`, `validation` or `test`, with the columns that decide it. By time: a row without a time has no
 * part. By entity: by the first 8 hex digits of the MD5 of the seed and the keys' texts (`<length>:<text>` each, `NULL` without one; bytes as lower
 * hex, timestamps as microseconds): below `test` of 2^32 the test, below `test + validation` validation. The same on every engine.
 */
export type RowSplit =
  | Extract<Split, { readonly by: 'time' }>
  | (Omit<Extract<Split, { readonly by: 'entity' }>, 'role'> & {
      readonly keys: readonly { readonly column: string; readonly type: ScalarType }[];
    });

/**
 * A point-in-time join. For a spine row at time t (less the view's lag) a view contributes its row of the same keys with the greatest event
 * timestamp <= t, and >= t - ttl where ttl > 0; among equal event timestamps the greatest created timestamp (NULL least), then the
 * greatest row in a fixed total order: the selected columns in definition order, NULL least, strings by UTF-8 bytes, NaN greatest,
 * -0.0 equal to 0.0.
 * A view without timestamps contributes its row of those keys that is greatest in that total order. A spine without a
 * timestamp takes each view's newest row. No match is NULL and the spine row stays; duplicate spine rows stay; a feature row
 * with a NULL or infinite event timestamp matches nothing, nor does a spine row with such a timestamp match any in time.
 */
export interface PointInTimeJoin<R extends Relation = FileRelation, O extends OutputShape = Output> {
  readonly spine: {
    readonly relation: R;
    /** Needed for a join in time; undefined: newest rows. */
    readonly timestampField?: string;
    /** Spine columns in the output, before the features: keys, timestamp. */
    readonly columns: readonly { readonly column: string; readonly as: string; readonly type: ValueType }[];
    /** The label, last in the output; undefined: none. */
    readonly label?: { readonly column: string; readonly as: string; readonly type: ValueType };
    /** Order of the output's rows: these spine columns first, then every output column. */
    readonly orderBy: readonly string[];
    /** Adds the column `split`, first of all. */
    readonly split?: RowSplit;
  };
  readonly views: readonly JoinedView<R>[];
  /**
   * A feature row counts only if its created timestamp is at or before the label's time (not less the lag); one with a NULL created timestamp never, nor one of `infinity`.
   * Views without timestamps are as without it; every other view has a `createdTimestampField`.
   */
  readonly knownAt?: boolean;
  /** `schema` = `split` where asked for, spine columns, the views' columns in any order, label where there is one. `keys` is empty: training rows may have NULL keys. */
  readonly output: O;
}

export interface JoinStatistics extends WrittenTable {
  /** Rows that found a feature row, a view; in the views' order. */
  readonly matched: readonly number[];
  /** Rows whose joined event time lies after the label's time less the lag. Always 0; counted because everything depends on it. */
  readonly leaked: number;
  /** Rows whose joined feature row was created after the label's time, a view; 0 with `knownAt` and for views without a created timestamp. */
  readonly createdLater: readonly number[];
  /** How old the joined rows are, a view: the label's time less the event time. Undefined for views that are not matched by time, or never. */
  readonly ages: readonly (Age | undefined)[];
}

/** Microseconds, exact. */
export interface Age {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The newest row per entity, split into shards by a hash of the join keys, ready to be loaded online. */
export interface NewestRows<R extends Relation = FileRelation> {
  readonly name: string;
  readonly relation: R;
  readonly joinKeys: readonly { readonly name: string; readonly column: string; readonly type: ScalarType }[];
  readonly features: readonly { readonly name: string; readonly column: string; readonly type: ValueType }[];
  /** Undefined: the view has no timestamps and `eventTime` is every row's event time. */
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  /** ISO-8601 in UTC; used without a `timestampField`. */
  readonly eventTime: string;
  /** A shard is split off for every so many entities; at most 16 shards, at least one. */
  readonly rowsPerShard: number;
}

/** Shards as Parquet files. */
export interface NewestRequest extends NewestRows {
  /** Rows a Parquet row group: the unit of a load's checkpoint. */
  readonly rowsPerGroup: number;
  /** Folder on this machine's disk to write `shard-0.parquet`, ... into. */
  readonly folder: string;
}

export interface StagedShard {
  /** File name within the folder. */
  readonly file: string;
  readonly rows: number;
}

/**
 * Columns of a staged shard, in this order: the join keys, the features, `__event_time` and `__created_time` (bigint microseconds;
 * created may be NULL), `__generation`.
 */
export const STAGED_COLUMNS = {
  eventTime: '__event_time',
  createdTime: '__created_time',
  generation: '__generation',
} as const;

/** Rows made by TypeScript code, checked and collected for one output. */
export interface TableWriter {
  /**
   * Adds rows: plain objects (see `Row` in definitions/types), or Arrow batches. A value that does not fit its column is refused with
   * the row's number, the column and the value's type (`ValueOutOfRange`), a missing or unknown column with its name (`SchemaMismatch`).
   */
  append(rows: Iterable<Readonly<Record<string, unknown>>> | RecordBatch | Table): Promise<void>;
  /** Adds rows in columns, in the order of the schema; values as providers/columns.ts states them. */
  appendColumns(batch: ColumnBatch): Promise<void>;
  /** Adds the rows of a Parquet file that this writer's `flush` wrote in an earlier attempt. */
  appendParquet(path: string): Promise<void>;
  /** Writes the rows appended since the last flush to a Parquet part and starts anew; resolves to their number. */
  flush(parquet: string): Promise<number>;
  /** Orders all rows (every part and what is left) and writes the output. */
  finish(): Promise<WrittenTable>;
}

export interface SessionOptions {
  /** A folder of this session's own for spilling; emptied at close. */
  readonly scratch: string;
  /** DuckDB's syntax: `2GB`. */
  readonly memoryLimit: string;
  /** At most; fewer where the memory limit is too low for so many. */
  readonly threads: number;
  /** Interrupts the running query; the call rejects with the signal's reason once the engine has stopped. */
  readonly signal: AbortSignal;
}

/** A column of a file, and the type that it is read as; undefined where Granary has none for it. */
export interface DescribedColumn {
  readonly name: string;
  /** The engine's name of its type. */
  readonly found: string;
  readonly type: ValueType | undefined;
}

/** Where a relation's rows are copied to. */
export interface CopyRequest {
  readonly path: string;
  readonly format: 'parquet' | 'csv';
  /** A last column to add (int64): 0, 1, ... Of Parquet alone. */
  readonly rowNumber?: string;
  /** Only rows for which this SQL condition over the relation's columns holds. */
  readonly where?: string;
}

/** One engine instance for one heavy step. Close it, always; `await using` does. */
export interface OfflineSession extends AsyncDisposable {
  /**
   * Checks that a relation's files are there, are whole and have the declared columns, and names file and column when not: `SourceMissing`,
   * `SourceEmpty`, `SourceInvalid`, `SchemaMismatch`, `MissingTimestamp`.
   */
  inspect(relation: FileRelation): Promise<void>;
  /**
   * The columns of a relation's first file, in order. A CSV's are of the declared types, every value checked (`ValueOutOfRange` with the row
   * and the column); those not declared are int64, float64, bool or timestamp (date and time of ISO-8601) where all values are, else string.
   */
  describe(relation: FileRelation): Promise<readonly DescribedColumn[]>;
  /** Copies a relation's rows, in file order, into one file: constant memory. The event times are those of its `timestampField`. */
  copy(relation: FileRelation, request: CopyRequest): Promise<WrittenTable>;
  /** Runs a query and writes its rows, ordered by keys and then by every other column. */
  query(request: QueryRequest): Promise<WrittenTable>;
  writer(output: Output): Promise<TableWriter>;
  pointInTimeJoin(request: PointInTimeJoin): Promise<JoinStatistics>;
  stageNewest(request: NewestRequest): Promise<readonly StagedShard[]>;
  validate(relation: FileRelation, rules: readonly RowRule[]): Promise<readonly RuleResult[]>;
  /**
   * What the rows of a Parquet file that this engine wrote look like: equal rows in equal order give equal profiles, on any number of threads. Of
   * more than `most` rows quantiles and top values are of every k-th one, beginning with the first.
   */
  profile(written: WrittenFile, most?: number): Promise<Profile>;
  /** The columns that each file of a relation has now, declared or not, with the engine's words for their types. */
  columns(relation: FileRelation): Promise<FoundColumns>;
  /**
   * Streams columns of a relation in file order, with back-pressure: constant memory. `fromRow` is the number of a row in a
   * Parquet file (0, 1, ...), and with it goes `every`: only rows of which the number is a multiple of it.
   */
  read(
    relation: FileRelation,
    options?: {
      readonly columns?: readonly string[];
      readonly fromRow?: number;
      readonly limit?: number;
      readonly every?: number;
    },
  ): AsyncIterable<ColumnBatch>;
  close(): Promise<void>;
}

/** An engine that runs SQL, joins and reads. */
export interface OfflineProvider {
  readonly description: string;
  open(options: SessionOptions): Promise<OfflineSession>;
}
