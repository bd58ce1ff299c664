import type { Interval } from '../../definitions/interval.js';
import type { Schema } from '../../definitions/types.js';
import type { Profile } from '../../definitions/profile.js';
import type { RowRule, RuleResult } from '../../definitions/validation.js';
import type { ColumnBatch } from '../columns.js';
import type {
  FoundColumns,
  JoinStatistics,
  NewestRows,
  OutputShape,
  PointInTimeJoin,
  QueryRequest,
  Relation,
  WrittenTable,
} from './provider.js';
import type { CheckedRows } from './rules.js';

/** Rows in a table or a view of a database. */
export interface TableRelation extends Relation {
  readonly table: TableName;
  /**
   * Of a table that Granary made: the versions of one resource to read, by their intervals, in whichever table they lie at the moment (`table`
   * only names it in messages). Undefined: a table of others, read as it is at the moment. A version that another has taken the
   * place of is refused (`SourceInvalid`).
   */
  readonly versions?: readonly { readonly interval: Interval; readonly dataset: string }[];
}

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** Whose rows are staged: an attempt under its token. */
export interface StageOwner {
  /** Temporal's id of the run. */
  readonly run: string;
  /** A resource's id. */
  readonly target: string;
  readonly token: number;
}

/** A table of an attempt's own in Granary's schema, until it is published or dropped. */
export interface TableOutput extends OutputShape {
  readonly stage: StageOwner;
  readonly interval: Interval;
}

/** A table that a step wrote. */
export interface StagedTable extends WrittenTable {
  readonly table: string;
}

/**
 * In which table each source and training set is to lie, by their ids, as the registry says it at this moment. It is asked after the locks are
 * held, so that whoever comes last does what is true then: names change places in promotions.
 */
export type Places = () => Promise<ReadonlyMap<string, string>>;

/** A committed version whose rows are in a staged table. */
export interface TableVersion {
  /** Id of the commit. */
  readonly dataset: string;
  /** Id of the resource that it is a version of. */
  readonly target: string;
  readonly interval: Interval;
  readonly generation: number;
  readonly staged: string;
}

/** A shard of the newest rows: `(table, shard)` is what a load reads. */
export interface StagedNewest {
  readonly table: string;
  /** Rows of each shard. */
  readonly shards: readonly number[];
}

/** Staged rows: what messages call them, their columns, and those that come first in their order. */
export type StagedShape = CheckedRows & Pick<OutputShape, 'keys'>;

/** One connection to a database for one step. What it stages is there whole, or not at all. Close it, always. */
export interface TableSession extends AsyncDisposable {
  /**
   * Checks that a relation is there with the declared columns: `SourceMissing`, `SchemaMismatch`, `MissingTimestamp`,
   * `ConfigurationMissing` when reading it is not allowed.
   */
  inspect(relation: TableRelation): Promise<void>;
  /** Runs SQL in the database and stages its rows; reads its inputs in one snapshot. */
  query(request: Omit<QueryRequest<TableRelation, TableOutput>, 'deterministic'>): Promise<StagedTable>;
  /** Joins as {@link PointInTimeJoin} says, in one snapshot, and stages the rows with their order. */
  pointInTimeJoin(
    request: PointInTimeJoin<TableRelation, TableOutput>,
  ): Promise<JoinStatistics & StagedTable>;
  /** Stages the newest row per entity; `detail` is kept beside it, see {@link TableSession.stagedDetail}. */
  stageNewest(request: NewestRows<TableRelation>, stage: StageOwner, detail: unknown): Promise<StagedNewest>;
  /** Applies rules to staged rows. */
  validate(staged: string, rows: CheckedRows, rules: readonly RowRule[]): Promise<readonly RuleResult[]>;
  /** What staged rows look like, as `OfflineSession.profile` says; their order is a training set's own, else by `keys` and then every column. */
  profile(staged: string, rows: StagedShape, most?: number): Promise<Profile>;
  /** The columns that a table of others has now, declared or not, with the database's words for their types. */
  columns(relation: TableRelation): Promise<FoundColumns>;
  /** Streams a relation's columns by binary COPY, with back-pressure: constant memory. A training set comes in its order. */
  read(relation: TableRelation, options?: { readonly limit?: number }): AsyncIterable<ColumnBatch>;
  /**
   * Streams a shard from a row on, or `every` so-many-th of these rows; the columns are those of STAGED_COLUMNS, keys and features between them.
   * @throws GranaryError `SourceMissing` when the staged table is gone.
   */
  readShard(
    request: Pick<NewestRows, 'name' | 'joinKeys' | 'features'>,
    shard: {
      readonly table: string;
      readonly shard: number;
      readonly fromRow: number;
      readonly every?: number;
    },
  ): AsyncIterable<ColumnBatch>;
  close(): Promise<void>;
}

/** A database that holds sources and runs SQL over them; what it makes stays in a schema of Granary's own. */
export interface TableProvider {
  /** Names the server, never a password. */
  readonly description: string;
  /** The schema of Granary's own. */
  readonly schema: string;
  /** Whether the database answers. */
  check(): Promise<void>;
  /**
   * Connects. On abort the running statement is cancelled, and the call rejects with the signal's reason once it has ended.
   */
  open(options: { readonly signal: AbortSignal; readonly timeoutMs?: number }): Promise<TableSession>;
  /**
   * Puts a committed version's rows where readers look, in one transaction: they see all of it or what was before. Done once;
   * repeating it does nothing. A version of a later generation stays (`superseded`).
   * @throws GranaryError `StaleToken` when the resource was deleted meanwhile.
   */
  publish(version: TableVersion, places: Places): Promise<'published' | 'superseded'>;
  /** Gives the tables that Granary made the names that they are to have, all in one transaction; done already, it does nothing. */
  arrange(places: Places): Promise<void>;
  /**
   * Drops the table of a resource with what is staged for it, in one transaction, and nothing else; again, it finds nothing. `isWanted` is asked
   * while the table is locked.
   * @throws GranaryError `StaleToken` when it is not wanted any more, `RemovalRefused` when views of others are built on the table.
   */
  drop(target: string, isWanted: () => Promise<boolean>): Promise<void>;
  /**
   * The table that a version (the id of its commit) lies in, and its declared columns in their order.
   * @throws GranaryError `SourceInvalid` when another version has taken its place.
   */
  describe(dataset: string): Promise<{ readonly table: string; readonly schema: Schema }>;
  /** What was kept beside a staged table. */
  stagedDetail(table: string): Promise<unknown>;
  /** Runs that have staged tables. */
  stagedRuns(): Promise<readonly string[]>;
  /** Drops what a run staged. */
  dropStaged(run: string): Promise<void>;
  /** The address of a table, for people. */
  uri(table: string): string;
  close(): Promise<void>;
}
