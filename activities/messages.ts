import type { ResourceKind } from '../definitions/contract.js';
import type { Interval } from '../definitions/interval.js';
import type { Plan, PlanStep } from '../definitions/plan.js';
import type { BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import type { RuleResult } from '../definitions/validation.js';
import type { RecordedRequest } from '../registry/recorded-run.js';

/**
 * What crosses the workflow boundary: references and counts, never rows. One object in, one out; fields are only ever added.
 */
export interface RunRequest extends RecordedRequest {
  /** The logical "now": the scheduled time of a scheduled run, else the workflow's start. ISO-8601. */
  readonly now: string;
  /** Of one of several intervals that a workflow run makes: the part's name, without dots. */
  readonly part?: string;
  /** A schedule started the workflow. */
  readonly scheduled?: boolean;
  /** When the workflow began; ISO-8601. Absent in runs that began before there were deadlines. */
  readonly began?: string;
  /** The workflow's time when it asked, the same in every attempt; ISO-8601. Absent in runs that asked before it was looked at. */
  readonly clock?: string;
  /** Of an interval that a backfill makes: the backfill's name; the part is its position. It has no deadline. */
  readonly backfill?: string;
}

/** What a run that a schedule started asks first. */
export interface DueQuestion {
  readonly pipeline?: string;
  readonly targets?: readonly string[];
  /** The schedule's tick, without jitter; ISO-8601. */
  readonly scheduled: string;
  /** As {@link RunRequest.clock}. */
  readonly clock?: string;
}

/** The intervals that a scheduled run is to make; empty where no pipeline is meant. */
export interface DueRuns {
  readonly pipeline?: string;
  /** The one that ends at the last tick. */
  readonly own?: Interval;
  /** Oldest first. */
  readonly intervals?: readonly Interval[];
  /** One that fails keeps the later ones from being made. */
  readonly inOrder?: boolean;
  readonly notes?: readonly string[];
}

/** A run with everything settled; pinned for its whole life. */
export interface ResolvedRun {
  readonly run: { readonly id: string; readonly workflowId: string };
  readonly pipeline?: string;
  readonly plan: Plan;
  readonly rebuild: boolean;
  readonly retries: { readonly max: number; readonly delay: string };
  readonly heartbeatTimeout: string;
  /** Step id -> longest time of one attempt of its heavy activity, where a definition says so. */
  readonly timeouts: Readonly<Record<string, string>>;
  readonly rollback?: Rollback;
  readonly promotion?: PromotionRef;
  /** Of runs that load what is recorded: the window that was asked for, its relative times resolved. */
  readonly window?: Interval;
  /** Sentences about what the run leaves out, and why. */
  readonly notes?: readonly string[];
  /** Views are refreshed in full; absent in runs that began before there was one. */
  readonly refresh?: RefreshRef;
  /** When the whole run must be done; absent: at no time. */
  readonly deadline?: Due;
  /** Step id -> when it must be done, where a definition says so. */
  readonly stepDeadlines?: Readonly<Record<string, Due>>;
  /** The server has Granary's search attributes. */
  readonly searchAttributes?: boolean;
  /** Of an interval of a backfill: its steps that read versions of intervals before their own. */
  readonly readsBefore?: readonly string[];
  /** Of what gives way to other runs: Temporal's priority key of its activities. */
  readonly priority?: number;
}

/** When work is late, and when it is cancelled. */
export interface Due {
  readonly warn?: DueAt;
  readonly cancel?: DueAt;
}

/** An instant, ISO-8601, and how long after the interval's end it is: a duration text. */
export interface DueAt {
  readonly at: string;
  readonly after: string;
}

/** A deadline that a run, or the workflow `deadline`, saw pass. */
export interface MissedDeadline {
  /** `warned`: the work goes on. `exceeded`: it was cancelled, or was never made. */
  readonly kind: 'warned' | 'exceeded';
  readonly pipeline: string;
  readonly interval: Interval;
  /** A step's id; absent: the whole pipeline. */
  readonly step?: string;
  readonly due: DueAt;
  readonly run?: ResolvedRun['run'];
  readonly message: string;
}

/** What the workflow `deadline` asks first: which interval of a pipeline ends at the last tick at `now`. */
export interface WatchRequest {
  readonly pipeline: string;
  /** ISO-8601. */
  readonly now: string;
}

/** An interval that is watched; without one there is nothing to watch. */
export interface WatchedDeadline {
  readonly heartbeatTimeout: string;
  readonly interval?: Interval;
  readonly due?: Due;
  /** Intervals before it that ended near a change of clocks, oldest first: at their own ends no watcher may have been started. */
  readonly others?: readonly { readonly interval: Interval; readonly due: Due }[];
  readonly searchAttributes?: boolean;
}

/** Whether a pipeline's interval was valid when it was due. */
export type DeadlineCheck = Pick<MissedDeadline, 'kind' | 'pipeline' | 'interval' | 'due'>;

/** A full refresh: all current versions are loaded, or those that end after `from`; ISO-8601. */
export interface RefreshRef {
  readonly by: string;
  readonly from?: string;
  /** Where the refreshed range ends; default: where the view's newest interval does. */
  readonly to?: string;
}

/** A promotion, pinned at the run's first step. */
export interface PromotionRef {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly number: number;
  /** Ids of the default variant before and after. */
  readonly from: string;
  readonly to: string;
}

/** What a rollback puts in whose place, pinned at the run's first step. */
export interface Rollback {
  /** Dataset id of the version that was current then. */
  readonly from: string;
  /** Dataset id of the earlier version whose bytes come back. */
  readonly of: string;
  readonly by: string;
  readonly reason?: string;
}

/** What every step activity gets. */
export interface StepRequest {
  readonly run: ResolvedRun['run'];
  readonly retries: ResolvedRun['retries'];
  readonly step: PlanStep;
  readonly interval: Interval;
  readonly rebuild: boolean;
  /** The longest one attempt of the step's heavy work may take, as a duration text. */
  readonly timeout?: string;
  /** Of the step that rolls a feature set back. */
  readonly rollback?: Rollback;
  /** Of the steps of a promotion. */
  readonly promotion?: PromotionRef;
  /** Of steps that load what is recorded: only what lies in it. */
  readonly window?: Interval;
  /** Of the steps that refresh a view in full. */
  readonly refresh?: RefreshRef;
}

/** How a claim ended: the interval is valid already, is ours to make, or belongs to a run that is still open. */
export type ClaimResult =
  | { readonly state: 'current'; readonly result: StepResult }
  | { readonly state: 'owned' }
  | { readonly state: 'wait'; readonly owner: { readonly id: string; readonly workflowId: string } };

/** Rows that an attempt wrote, not yet committed: files under `_staging/`, or a table. */
export type StagedRows = StagedFiles | StagedInTable;

export interface StagedFiles extends StagedFacts {
  readonly parquet: StagedRef;
  readonly csv: StagedRef;
}

export interface StagedInTable extends StagedFacts {
  /** The attempt's table in the database `store`. */
  readonly table: string;
}

interface StagedFacts {
  /** Name of the file store, or of the database. */
  readonly store: string;
  readonly rows: number;
  readonly eventTimes?: { readonly min: string; readonly max: string };
  /** Hash of the code of a TypeScript build. */
  readonly codeHash?: string;
  /** Milliseconds of work. */
  readonly ms: number;
  /** Training sets: rows that found a feature row, by view and role. */
  readonly matched?: Readonly<Record<string, number>>;
}

export interface StagedRef {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ValidationOutcome {
  readonly results: readonly RuleResult[];
  readonly ms: number;
}

/** The newest row per entity in shards, ready to load. */
export interface StagedLoad {
  readonly store: string;
  /** The view's name and promotion in the store; absent in runs that began before they were noted. */
  readonly location?: string;
  readonly promotion?: number;
  /** The token under which it was staged; absent in runs that began before there was one. */
  readonly token?: number;
  readonly storeId: string;
  /** The server's process; rows that it acknowledged before a restart may be lost. Absent in runs that began before it was noted. */
  readonly server?: string;
  readonly shards: readonly (StagedRef & { readonly rows: number })[];
  /** A JSON list of the versions in it: what the ledger will say is loaded. Kept with the table where there is one. */
  readonly versions: StagedRef;
  /** The table of the shards in the database `store`; absent: files of a file store. */
  readonly table?: string;
  readonly rows: number;
  readonly ms: number;
  /** Intervals of its source that were valid online already, and are not in it. */
  readonly valid?: number;
}

export interface LoadCounts {
  readonly shard: number;
  readonly written: number;
  readonly older: number;
  readonly unchanged: number;
  /** The row at which this attempt began: above 0 when it resumed at a checkpoint. */
  readonly resumedAt: number;
  readonly ms: number;
  /** What was read back after the load. */
  readonly check?: CheckCounts;
}

/** What a load's heartbeats keep: how far it came, and of what. */
export interface LoadCheckpoint {
  readonly v: 1;
  /** The step, for whoever watches; absent in checkpoints of earlier releases. */
  readonly step?: string;
  readonly storeId: string;
  readonly sha256: string;
  readonly shard: number;
  /** Rows before this one are acknowledged by the store. */
  readonly row: number;
  readonly written: number;
  readonly older: number;
  readonly unchanged: number;
}

/** Entities of a load that were read back and held against what was staged. */
export interface CheckCounts {
  readonly compared: number;
  /** Of them those of which the store held a newer row. */
  readonly newer: number;
  readonly missing: number;
  readonly different: number;
}

/** How a step ended well. */
export interface StepResult {
  readonly step: string;
  /** `current`: it was valid already and nothing was done. */
  readonly outcome: 'made' | 'current';
  readonly rows: number;
  /** Version folder, where the step makes a dataset. */
  readonly version?: string;
  readonly dataset?: string;
  readonly generation?: number;
  /** Rollbacks: the names of the version that was current, and of the one whose bytes came back. */
  readonly rollback?: { readonly from: string; readonly of: string };
  /** Full refreshes: entities that were taken away by this step. */
  readonly removed?: number;
  /** Where the result can be found: a URI, or the online store. */
  readonly location?: string;
  /** Rules that did not hold, but only warn. */
  readonly warnings?: readonly string[];
  /** Milliseconds by part: build, validate, store, stage, load. */
  readonly ms: Readonly<Record<string, number>>;
  readonly loaded?: {
    readonly written: number;
    readonly older: number;
    readonly unchanged: number;
    readonly shards: number;
    readonly resumed: number;
  };
  /** Of loads: entities that were read back and held against what was staged. */
  readonly check?: CheckCounts;
  /** Of views over versions: intervals that were loaded, and that were valid online already. */
  readonly intervals?: { readonly loaded: number; readonly valid: number };
}

/** How far a run's load of one view is; asked of the workflow by the query `loads`. */
export interface LoadState {
  readonly step: string;
  readonly state: 'waiting' | 'staging' | 'loading' | 'recording' | 'done' | 'current' | 'failed';
  /** Entities to load; 0 until they are staged. */
  readonly total: number;
  readonly written: number;
  readonly older: number;
  readonly unchanged: number;
  /** Shards that are loaded: their counts are in these. */
  readonly shards: readonly number[];
}

/** What the first step of a removal is asked for. */
export interface RemovalQuestion {
  /** A resource by name, as commands take it. */
  readonly resource: string;
  readonly by: string;
  readonly reason?: string;
}

/** A resource that is marked as being removed, and what is to go with it. */
export interface Removal {
  readonly run: ResolvedRun['run'];
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly by: string;
  readonly reason?: string;
  /** Versions that the registry knows. */
  readonly versions: number;
  /** Whether an online store may hold values of it. */
  readonly online: boolean;
  readonly heartbeatTimeout: string;
}

/** What a removal took away. */
export interface RemovalOutcome {
  readonly resource: string;
  readonly versions: number;
  /** Entities that had values online, where the store can tell. */
  readonly entities?: number;
}

/** What a writing of Feast's registry file did; nothing where no run writes files. */
export interface FeastExport {
  /** Its URI. */
  readonly path?: string;
  readonly outcome?: 'written' | 'unchanged';
}

/** How a step ended badly. */
export interface StepFailure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
}

/** What an apply is started with: the name under which its contract was noted; absent: the worker's own project. */
export interface BeginApply {
  readonly apply?: string;
}

/** An apply that has begun. */
export interface ApplyRef {
  /** Its name: two words. */
  readonly apply: string;
  readonly run: ResolvedRun['run'];
  readonly heartbeatTimeout: string;
}

/** Whether an apply's definitions are registered, or another apply comes first. */
export type RegisteredApply =
  | { readonly state: 'registered' }
  | { readonly state: 'wait'; readonly owner: { readonly id: string; readonly workflowId: string } };

/** The runs that an apply starts: their workflow ids and inputs. */
export interface CheckedApply {
  readonly runs: readonly {
    /** Its place in the registered plan. */
    readonly run: number;
    readonly workflowId: string;
    readonly pipeline?: string;
    readonly targets: readonly string[];
  }[];
}

/** How an apply ended, as its workflow has it. */
export interface ApplyEnd extends ApplyRef {
  readonly status: 'COMPLETED' | 'FAILED' | 'CANCELLED';
  /** Runs that failed, with why. */
  readonly runErrors: readonly { readonly run: number; readonly message: string }[];
  /** Why the rest was not made. */
  readonly unfinished?: string;
  readonly error?: string;
}

/** What a backfill's workflow begins with; after it went on as a new run, `name` alone counts. */
export interface BeginBackfill extends BackfillRequest {
  /** The name under which it was noted; absent: it gets one. */
  readonly name?: string;
  readonly by?: string;
  /** ISO-8601: intervals that end later are left out. */
  readonly now: string;
}

/** A backfill that has begun. */
export interface BackfillRef {
  /** Two words. */
  readonly name: string;
  readonly heartbeatTimeout: string;
  /** Temporal's priority key of its activities. */
  readonly priority: number;
}

/** A backfill as one of its runs finds it. */
export interface BegunBackfill extends BackfillRef {
  /** Absent until it was planned. */
  readonly plan?: BackfillPlan;
  /** Intervals that ended in runs before this one. */
  readonly completed: number;
  readonly failed: number;
  /** Who has paused it. */
  readonly pausedBy?: string;
}

/** How a backfill ended, as its workflow has it. */
export interface BackfillEnd extends BackfillRef {
  readonly status: 'COMPLETED' | 'FAILED' | 'CANCELLED';
  /** Why it ended before its time. */
  readonly error?: string;
}

/** How a backfill left its intervals. */
export interface BackfillOutcome {
  readonly completed: number;
  readonly failed: number;
  /** Not begun, or cut off. */
  readonly left: number;
  /** The first failures. */
  readonly causes: readonly { readonly interval: Interval; readonly error: string }[];
}

/** How many resources failed, and the first of their errors. */
export interface ApplyOutcome {
  readonly failed: number;
  readonly errors: readonly string[];
}
