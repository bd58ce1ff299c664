import type { ColumnType, Generated } from 'kysely';
import type { Deadline } from '../definitions/deadline.js';
import type { PipelineSpec, Resource } from '../definitions/contract.js';
import type { ApplyPlan } from '../definitions/apply-plan.js';
import type { Contract } from '../definitions/contract-file.js';
import type { Plan } from '../definitions/plan.js';
import type { BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import type { Dataset, DatasetInput, LatestFile } from './dataset.js';
import type { RecordedRequest, RecordedResult } from './recorded-run.js';
import type { LoggedStatement, StepLogOutcome } from './step-logs.js';
import type { VersionFacts } from './version-facts.js';

/** Instants are ISO-8601 texts in UTC with microseconds (see database.ts), counts are numbers. */
type Instant = string;
type Json<T> = ColumnType<T, string, string>;

export type ResourceStatus = 'PENDING' | 'RUNNING' | 'READY' | 'FAILED';
export type RunStatus =
  'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TERMINATED' | 'DEADLINE_EXCEEDED';
export type StepStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

/** `warned`: late, and going on. `exceeded`: cancelled, or never made. */
export type DeadlineKind = 'warned' | 'exceeded';

/** What people do by hand. */
export type AuditAction = 'rollback' | 'promote' | 'refresh' | 'delete' | 'tag' | 'link';

interface FactColumns {
  profile: Json<VersionFacts['profile']>;
  validation: Json<VersionFacts['validation']>;
  input_columns: Json<VersionFacts['inputColumns']>;
}

interface ByInterval {
  /** A resource's id. */
  target: string;
  interval_start: Instant;
  interval_end: Instant;
}

/** The registry's tables; migrations.ts creates them. */
export interface Tables {
  resources: {
    id: string;
    kind: Resource['kind'];
    name: string;
    variant: string;
    fingerprint: string;
    spec: Json<Resource['spec']>;
    about: Json<Resource['about']>;
    timeout: string | null;
    deadline: Json<Deadline | null> | null;
    /** The variant that unqualified names mean. */
    is_default: boolean;
    /** Name in storage and in Feast: the plain name for the default variant, else `<name>_<variant>`. */
    location: string;
    /** Raised when the name is promoted to another variant; first in the order of online rows. */
    promotion: Generated<number>;
    status: ColumnType<ResourceStatus, ResourceStatus | undefined, ResourceStatus>;
    error: string | null;
    created_at: Generated<Instant>;
  };
  pipelines: { name: string; spec: Json<PipelineSpec>; updated_at: Generated<Instant> };
  runs: {
    run_id: string;
    workflow_id: string;
    type: string;
    pipeline: string | null;
    interval_start: Instant;
    interval_end: Instant;
    status: RunStatus;
    plan: Json<Plan>;
    retries: Json<{ max: number; delay: string }>;
    /** What was asked for; null in runs of workers that did not note it. */
    request: ColumnType<RecordedRequest | null, string | undefined, string>;
    error: string | null;
    started_at: Generated<Instant>;
    ended_at: Instant | null;
  };
  applies: {
    /** Two words: `amazed_volhard`. */
    id: string;
    /** Null until the workflow has begun. */
    run_id: string | null;
    workflow_id: string;
    actor: string;
    at: Generated<Instant>;
    contract: Json<Contract>;
    /** As it was registered. */
    plan: Json<ApplyPlan | null> | null;
    status: RunStatus;
    error: string | null;
    registered_at: Instant | null;
    ended_at: Instant | null;
  };
  /** How an apply left each of its resources. */
  apply_items: {
    apply_id: string;
    position: number;
    resource_id: string;
    type: string;
    name: string;
    variant: string;
    status: ResourceStatus;
    error: string | null;
  };
  steps: {
    run_id: string;
    step_id: string;
    status: StepStatus;
    /** What the step reads, pinned at its first claim. */
    inputs: Json<readonly DatasetInput[] | null> | null;
    error: string | null;
    updated_at: Generated<Instant>;
    started_at: ColumnType<Instant | null, undefined, Instant>;
    ended_at: ColumnType<Instant | null, undefined, Instant>;
    /** How it ended well, in counts and references. */
    result: ColumnType<RecordedResult | null, undefined, string>;
  };
  /** What attempts of a step's activities sent to engines, and how they ended. */
  step_logs: {
    run_id: string;
    step_id: string;
    activity_id: string;
    attempt: number;
    /** The activity's type: `buildRows`. */
    activity: string;
    /** The worker's identity. */
    worker: string;
    outcome: StepLogOutcome;
    error_code: string | null;
    error: string | null;
    /** In order; of many the first and the last. */
    statements: Json<readonly LoggedStatement[]>;
    /** Statements that were left out between them. */
    omitted: number;
    started_at: Instant;
    updated_at: ColumnType<Instant, undefined, Instant>;
  };
  /** Errors that the attempts of an activity reported; attempts lost with a worker are not among them. */
  step_errors: { run_id: string; step_id: string; activity: string; errors: number };
  ownership: ByInterval & { run_id: string; workflow_id: string; token: number };
  refusals: ByInterval & {
    id: Generated<number>;
    run_id: string;
    token: number;
    reason: string;
    at: Generated<Instant>;
  };
  version_names: { target: string; name: string; run_id: string };
  datasets: ByInterval & {
    id: string;
    generation: number;
    version: string;
    store: string;
    folder: string;
    /** The staged files with the bytes that count. */
    files: Json<readonly LatestFile[]>;
    /** In a database: the name of its resource's table when it was committed, and the table that it was staged in. */
    rows_table: Json<NonNullable<Dataset['table']> | null> | null;
    rows: number;
    event_min: Instant | null;
    event_max: Instant | null;
    fingerprint: string;
    code_hash: string | null;
    has_latest: boolean;
    run_id: string;
    token: number;
    committed_at: Generated<Instant>;
    published_at: Instant | null;
  };
  /** What was found of rows that are staged, until their commit. */
  step_facts: FactColumns & { run_id: string; step_id: string; staged: string };
  dataset_facts: FactColumns & { dataset_id: string };
  dataset_inputs: {
    dataset_id: string;
    position: number;
    source: string;
    input_dataset_id: string | null;
    detail: Json<DatasetInput>;
  };
  ledger: ByInterval & {
    generation: number;
    dataset_id: string | null;
    run_id: string;
    fingerprint: string;
    /** SHA-256 over the inputs' identities. */
    inputs_hash: string;
    /** The contents of the online store that it was loaded into. */
    store_id: string | null;
    /** The receipt that the load left in the online store. */
    receipt: number | null;
    detail: Json<Readonly<Record<string, unknown>>>;
    committed_at: Generated<Instant>;
    /** When the interval was first valid: later commits leave it as it is. */
    first_committed_at: ColumnType<Instant, undefined, never>;
  };
  /** What people did beyond running pipelines, by whom and why. */
  audit: {
    id: Generated<number>;
    at: Generated<Instant>;
    actor: string;
    action: AuditAction;
    /** A resource's id. */
    target: string;
    /** Empty where no run did it. */
    run_id: string;
    detail: Json<Readonly<Record<string, unknown>>>;
  };
  /** Which versions of training sets a model was trained on. */
  models: {
    name: string;
    dataset_id: string;
    /** The training set's id. */
    target: string;
    linked_by: string;
    at: Generated<Instant>;
  };
  /** Variants that became the default of their name, or were to. */
  promotions: {
    kind: Resource['kind'];
    name: string;
    number: number;
    /** Ids of the default variant before and after. */
    from_id: string;
    to_id: string;
    run_id: string;
    actor: string;
    reason: string | null;
    at: Generated<Instant>;
    switched_at: Instant | null;
    /** Its run ended without a switch. */
    abandoned_at: Instant | null;
    /** What it replaced online is gone. */
    retired_at: Instant | null;
  };
  /** Full refreshes of views online. */
  refreshes: {
    /** The view's id. */
    target: string;
    number: number;
    run_id: string;
    actor: string;
    range_start: Instant | null;
    range_end: Instant | null;
    at: Generated<Instant>;
    /** What it replaced online is gone. */
    retired_at: Instant | null;
    /** So are its tombstones. */
    collected_at: Instant | null;
  };
  /** Deadlines that were missed, each once: by the pipeline, or by a step of it. */
  events: {
    id: Generated<number>;
    at: Generated<Instant>;
    kind: DeadlineKind;
    pipeline: string;
    interval_start: Instant;
    interval_end: Instant;
    /** A resource's id; empty where the whole pipeline missed it. */
    step: string;
    deadline: Instant;
    /** The run that noticed; null where none was under way. */
    run_id: string | null;
    message: string;
  };
  backfills: {
    /** Two words: `amazed_volhard`. */
    id: string;
    workflow_id: string;
    /** Temporal's id of the run that is at it; null until the workflow has begun. */
    run_id: string | null;
    actor: string;
    at: Generated<Instant>;
    /** As it was asked for. */
    request: Json<BackfillRequest>;
    /** What it does; null until it was planned. */
    plan: Json<BackfillPlan | null> | null;
    status: RunStatus;
    paused_by: string | null;
    paused_at: Instant | null;
    error: string | null;
    ended_at: Instant | null;
  };
  /** The intervals that a backfill makes, in its order. */
  backfill_intervals: {
    backfill_id: string;
    position: number;
    interval_start: Instant;
    interval_end: Instant;
    /** The run that made it, or tried to; null until it began. */
    run_id: string | null;
    /** Why it failed. */
    error: string | null;
  };
  /** Resources that are being removed; the row goes with the resource's. */
  removals: {
    target: string;
    run_id: string;
    workflow_id: string;
    actor: string;
    reason: string | null;
    at: Generated<Instant>;
  };
}
