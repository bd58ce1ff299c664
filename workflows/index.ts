/**
 * Granary's workflows. Each takes one optional object, so that it can be started from Temporal's UI; teams with workflows of
 * their own write `export * from 'granary/workflows'` in theirs.
 */
import { continueAsNew, patched } from '@temporalio/workflow';
import {
  APPLY_FIELDS,
  DEADLINE_FIELDS,
  BACKFILL_FIELDS,
  backfillRules,
  MATERIALIZE_FIELDS,
  materializeRules,
  parseInput,
  PIPELINE_FIELDS,
  PROMOTE_FIELDS,
  REMOVE_FIELDS,
  ROLLBACK_FIELDS,
  TRAINING_SET_FIELDS,
  type ApplyInput,
  type DeadlineInput,
  type BackfillInput,
  type MaterializeInput,
  type PipelineInput,
  type PromoteInput,
  type RemoveInput,
  type RollbackInput,
  type TrainingSetInput,
} from './input.js';
import type { LoadCheckpoint, LoadState, RemovalOutcome } from '../activities/messages.js';
import { watchDeadline, type DeadlineResult } from './deadlines.js';
import { removeResource } from './remove.js';
import { runApply, type ApplyResult } from './run-apply.js';
import { runBackfill, type BackfillResult } from './run-backfill.js';
import { scheduledTime } from './own-words.js';
import { runParts, runScheduled, type ScheduledRest } from './run-scheduled.js';
import { runTargets, type RunResult } from './run-targets.js';

export type {
  ApplyInput,
  ApplyResult,
  DeadlineInput,
  DeadlineResult,
  BackfillInput,
  BackfillResult,
  LoadCheckpoint,
  LoadState,
  MaterializeInput,
  PipelineInput,
  PromoteInput,
  RemovalOutcome,
  RemoveInput,
  RollbackInput,
  RunResult,
  TrainingSetInput,
};

/**
 * Runs a pipeline for one interval: by default the only pipeline and its last complete interval. Started by a schedule, for what is due at its tick;
 * `rest` is what such a run has left when it goes on as a new one, and nobody else gives it.
 */
export async function pipeline(input?: PipelineInput, rest?: ScheduledRest): Promise<RunResult> {
  const checked = parseInput<PipelineInput>('pipeline', input, PIPELINE_FIELDS, {
    pipeline: 'user_features_daily',
    date: '2026-01-31',
  });
  const renew = (left: ScheduledRest): Promise<never> => continueAsNew<typeof pipeline>(input, left);
  if (rest) return await runParts(checked, rest, renew);
  const tick = scheduledTime();
  const { date, from } = checked;
  // Runs that a schedule started before there was this question have no answer to it in their histories.
  if (tick && date === undefined && from === undefined && patched('due-intervals'))
    return await runScheduled(checked, tick, renew);
  return await runTargets({ ...checked, type: 'pipeline' });
}

/**
 * Loads feature views online from what is recorded: all of them or some, whatever their stores lack or what lies in a window. Given one `view`, brings
 * it up to date for an interval, with everything that it needs.
 */
export async function materialize(input?: MaterializeInput): Promise<RunResult> {
  const { view, views, ...rest } = parseInput<MaterializeInput>(
    'materialize',
    input,
    MATERIALIZE_FIELDS,
    { views: ['user_features'], from: '-2d', to: 'now' },
    materializeRules,
  );
  if (view !== undefined) return await runTargets({ ...rest, targets: [view], type: 'materialize' });
  return await runTargets({
    ...rest,
    ...(views === undefined ? {} : { targets: views }),
    recorded: true,
    type: 'materialize',
  });
}

/** Builds one training set for an interval, with everything that it needs. */
export async function trainingSet(input?: TrainingSetInput): Promise<RunResult> {
  const { trainingSet: name, ...rest } = parseInput<TrainingSetInput>(
    'trainingSet',
    input,
    TRAINING_SET_FIELDS,
    { trainingSet: 'fraud_training', date: '2026-01-31' },
  );
  return await runTargets({ ...rest, targets: [name], type: 'trainingSet' });
}

/** Puts the bytes of an earlier version of a feature set's newest interval back, as a new version, and online. */
export async function rollback(input?: RollbackInput): Promise<RunResult> {
  const { featureSet, ...rest } = parseInput<RollbackInput>('rollback', input, ROLLBACK_FIELDS, {
    featureSet: 'user_features',
    version: 'v_20260131T000312',
    reason: 'the export of the 31st was cut off',
  });
  return await runTargets({ ...rest, targets: [featureSet], type: 'rollback' });
}

/** Makes a variant the default of its name: online first, then in files and names. */
export async function promote(input?: PromoteInput): Promise<RunResult> {
  const { name, ...rest } = parseInput<PromoteInput>('promote', input, PROMOTE_FIELDS, {
    name: 'view/user_features',
    variant: 'v2',
  });
  return await runTargets({ ...rest, targets: [name], type: 'promote' });
}

/** Makes the intervals of a pipeline's schedule within a span, some at a time: by default those that were never made. */
export async function backfill(input?: BackfillInput): Promise<BackfillResult> {
  const checked = parseInput<BackfillInput>(
    'backfill',
    input,
    BACKFILL_FIELDS,
    { pipeline: 'user_features_daily', from: '2026-01-01', to: '2026-02-01' },
    backfillRules,
  );
  return await runBackfill(checked, (rest) => continueAsNew<typeof backfill>(rest));
}

/** Applies definitions: what `granary apply` noted under a name, else the worker's own project. */
export async function apply(input?: ApplyInput): Promise<ApplyResult> {
  return await runApply(
    parseInput<ApplyInput>('apply', input, APPLY_FIELDS, { apply: 'amazed_volhard' }),
    pipeline,
  );
}

/** Deletes a resource that nothing depends on: its definition and its data, in files, online and in the registry. */
export async function remove(input?: RemoveInput): Promise<RemovalOutcome> {
  const { by = 'Temporal UI', ...rest } = parseInput<RemoveInput>('remove', input, REMOVE_FIELDS, {
    resource: 'view/user_features',
    reason: 'replaced by user_activity',
  });
  return await removeResource({ ...rest, by });
}

/**
 * Raises the deadlines of a pipeline's interval where it is not valid in time, also when no run of it ever begins. A schedule of its own starts it
 * at each tick.
 */
export async function deadline(input?: DeadlineInput): Promise<DeadlineResult> {
  const { pipeline: name } = parseInput<DeadlineInput>('deadline', input, DEADLINE_FIELDS, {
    pipeline: 'user_features_daily',
  });
  return await watchDeadline(name);
}
