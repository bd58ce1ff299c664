/** Starting runs and reading what they made: `import { GranaryClient } from 'granary/client'`. */
export { GranaryClient } from './client.js';
export type { SourceRows, TrainingExamples, VersionRows } from './examples.js';
export type { NamedBatch, StoredRows } from './stored-rows.js';
export type { EntityRows } from './entity-rows.js';
export type { HistoricalFeaturesOptions, HistoricalRow, HistoricalRows } from './historical-features.js';
export type { EntityValues, FeatureReference, OneEntity } from './feature-vectors.js';
export type { EntityKeys, OnlineFeatures } from './features.js';
export type { ApplyHandle, ApplyState } from './apply.js';
export type {
  BackfillDetail,
  BackfillHandle,
  BackfillPreview,
  BackfillState,
  Backfills,
} from './backfills.js';
export type { BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
export type { ProviderHealth } from './provider-health.js';
export type { ApplyItem } from '../registry/applies.js';
export type { ApplyPlan } from '../definitions/apply-plan.js';
export type { GranaryClientOptions, RemovalHandle, RunHandle } from './handles.js';
export type { LoadProgress, MaterializeOptions } from './loads.js';
export type { PipelinePlan, PlanOptions, ProjectPlan } from './plan.js';
export type { IntervalCoverage, IntervalState } from '../registry/coverage.js';
export type { CoverageRange } from '../registry/coverage-ranges.js';
export type { Verification } from './verify.js';
export type { VersionLineage, VersionNode } from './lineage.js';
export { type Example, type Vector } from './printed.js';
export type {
  RemovalPlan,
  ResourceDescription,
  ResourceDetail,
  ResourceEvent,
  ResourceSummary,
} from './resource-types.js';
export type { ResourceCatalog } from './resources.js';
export type { Cancelled, FoundRun, RunCatalog } from './runs.js';
export type { UnplannedRun } from './unplanned-run.js';
export type { RunFilter, RunStep, RunSummary } from '../registry/run-history.js';
export type { LoggedStatement, StepLog } from '../registry/step-logs.js';
export type { ScheduleFields } from './schedule-spec.js';
export type {
  ApplySchedulesOptions,
  ScheduleChange,
  ScheduleDetail,
  ScheduledRun,
  ScheduledTime,
  ScheduleSummary,
  TriggeredRun,
} from './schedule-types.js';
export type { Schedules } from './schedules.js';
export type { TrainingRows, VersionChoice } from './training-rows.js';
export type { DatasetVersion, FeatureSetVersion, VersionProfile } from './versions.js';
export type { PipelineInput, RemovalOutcome, RunResult } from '../workflows/index.js';
export type { StaleInterval } from '../registry/stale.js';
