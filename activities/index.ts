import { beginApply } from './apply-begin.js';
import { checkApply } from './apply-check.js';
import { finishApply } from './apply-finish.js';
import { awaitApply, registerApply } from './apply-register.js';
import {
  beginBackfill,
  failInterval,
  finishBackfill,
  nextIntervals,
  pauseBackfill,
  planBackfill,
} from './backfill.js';
import { awaitOwner, claimStep } from './claim-step.js';
import { buildRows } from './build-rows.js';
import { checkDeadline, raiseDeadline, resolveDeadline } from './deadlines.js';
import { dueRuns } from './due-intervals.js';
import { exportFeast } from './export-feast.js';
import { finishRun, type FinishRequest } from './finish-run.js';
import { joinTrainingSet } from './join-training-set.js';
import { loadShard } from './load-shard.js';
import type { BackfillInterval, BackfillPlan } from '../definitions/backfill.js';
import type {
  ApplyEnd,
  ApplyOutcome,
  ApplyRef,
  BackfillEnd,
  BackfillOutcome,
  BeginApply,
  BeginBackfill,
  BegunBackfill,
  CheckedApply,
  ClaimResult,
  DeadlineCheck,
  DueQuestion,
  DueRuns,
  FeastExport,
  LoadCounts,
  MissedDeadline,
  RegisteredApply,
  Removal,
  RemovalOutcome,
  RemovalQuestion,
  ResolvedRun,
  RunRequest,
  StagedLoad,
  StagedRows,
  StepRequest,
  StepResult,
  ValidationOutcome,
  WatchedDeadline,
  WatchRequest,
} from './messages.js';
import { promoteVariant, retireVariant } from './promote-variant.js';
import { recordLoad } from './record-load.js';
import { beginRemoval, finishRemoval, removeFiles, removeOnline } from './remove-resource.js';
import { resolveRun } from './resolve-run.js';
import { rollbackVersion } from './rollback-version.js';
import type { Runtime } from './runtime.js';
import { stageOnline } from './stage-online.js';
import { attempt, beating } from './step.js';
import { storeVersion } from './store-version.js';
import { validateRows } from './validate-rows.js';

/** Granary's activities over a runtime: an object of functions, as Temporal registers them. */
export function createActivities(runtime: Runtime) {
  return {
    resolveRun: (request: RunRequest): Promise<ResolvedRun> => beating(() => resolveRun(runtime, request)),
    dueIntervals: (question: DueQuestion): Promise<DueRuns> => beating(() => dueRuns(runtime, question)),
    claimStep: (request: StepRequest): Promise<ClaimResult> =>
      attempt(runtime, request, () => claimStep(runtime, request)),
    awaitOwner: (request: StepRequest & { readonly owner: ResolvedRun['run'] }): Promise<void> =>
      // A long wait meets many a passing error: none of them is the step's.
      beating(({ signal }) => awaitOwner(runtime, request, request.owner, signal)),
    buildRows: (request: StepRequest): Promise<StagedRows> =>
      attempt(runtime, request, (at) => buildRows(runtime, request, at)),
    validateRows: (request: StepRequest & { readonly staged: StagedRows }): Promise<ValidationOutcome> =>
      attempt(runtime, request, (at) => validateRows(runtime, request, request.staged, at)),
    storeVersion: (
      request: StepRequest & { readonly staged: StagedRows; readonly validation?: ValidationOutcome },
    ): Promise<StepResult> =>
      attempt(runtime, request, (at) =>
        storeVersion(runtime, request, request.staged, request.validation, at),
      ),
    rollbackVersion: (request: StepRequest): Promise<StepResult> =>
      attempt(runtime, request, (at) => rollbackVersion(runtime, request, at)),
    beginRemoval: (question: RemovalQuestion): Promise<Removal> =>
      beating(() => beginRemoval(runtime, question)),
    removeOnline: (removal: Removal): Promise<number | undefined> =>
      beating((at) => removeOnline(runtime, removal, at)),
    removeFiles: (removal: Removal): Promise<void> => beating((at) => removeFiles(runtime, removal, at)),
    finishRemoval: (removal: Removal & { readonly entities?: number }): Promise<RemovalOutcome> =>
      beating(() => finishRemoval(runtime, removal)),
    promoteVariant: (request: StepRequest): Promise<StepResult> =>
      attempt(runtime, request, (at) => promoteVariant(runtime, request, at)),
    retireVariant: (request: StepRequest): Promise<StepResult> =>
      attempt(runtime, request, () => retireVariant(runtime, request)),
    joinTrainingSet: (request: StepRequest): Promise<StagedRows> =>
      attempt(runtime, request, (at) => joinTrainingSet(runtime, request, at)),
    stageOnline: (request: StepRequest): Promise<StagedLoad> =>
      attempt(runtime, request, (at) => stageOnline(runtime, request, at)),
    loadShard: (
      request: StepRequest & { readonly load: StagedLoad; readonly shard: number },
    ): Promise<LoadCounts> =>
      attempt(runtime, request, (at) => loadShard(runtime, request, request.load, request.shard, at)),
    recordLoad: (
      request: StepRequest & { readonly load: StagedLoad; readonly counts: readonly LoadCounts[] },
    ): Promise<StepResult> =>
      attempt(runtime, request, () => recordLoad(runtime, request, request.load, request.counts)),
    beginApply: (request: BeginApply): Promise<ApplyRef> => beating(() => beginApply(runtime, request)),
    registerApply: (request: ApplyRef): Promise<RegisteredApply> =>
      beating(() => registerApply(runtime, request)),
    awaitApply: (request: { readonly owner: ResolvedRun['run'] }): Promise<void> =>
      beating(({ signal }) => awaitApply(runtime, request.owner, signal)),
    checkApply: (request: ApplyRef & { readonly now: string }): Promise<CheckedApply> =>
      beating((at) => checkApply(runtime, request, at)),
    finishApply: (request: ApplyEnd): Promise<ApplyOutcome> => beating(() => finishApply(runtime, request)),
    beginBackfill: (request: BeginBackfill): Promise<BegunBackfill> =>
      beating(() => beginBackfill(runtime, request)),
    planBackfill: (request: Parameters<typeof planBackfill>[1]): Promise<BackfillPlan> =>
      beating(() => planBackfill(runtime, request)),
    nextIntervals: (request: Parameters<typeof nextIntervals>[1]): Promise<readonly BackfillInterval[]> =>
      beating(() => nextIntervals(runtime, request)),
    failInterval: (request: Parameters<typeof failInterval>[1]): Promise<void> =>
      beating(() => failInterval(runtime, request)),
    pauseBackfill: (request: Parameters<typeof pauseBackfill>[1]): Promise<void> =>
      beating(() => pauseBackfill(runtime, request)),
    finishBackfill: (request: BackfillEnd): Promise<BackfillOutcome> =>
      beating(() => finishBackfill(runtime, request)),
    exportFeast: (): Promise<FeastExport> => beating(() => exportFeast(runtime)),
    raiseDeadline: (missed: MissedDeadline): Promise<boolean> =>
      beating(() => raiseDeadline(runtime, missed)),
    resolveDeadline: (request: WatchRequest): Promise<WatchedDeadline> =>
      beating(() => resolveDeadline(runtime, request)),
    checkDeadline: (check: DeadlineCheck): Promise<{ readonly missed: boolean }> =>
      beating(() => checkDeadline(runtime, check)),
    finishRun: (request: FinishRequest): Promise<void> => beating(() => finishRun(runtime, request)),
  };
}

export type GranaryActivities = ReturnType<typeof createActivities>;
