import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation } from '@temporalio/workflow';
import type {
  LoadCounts,
  ResolvedRun,
  StagedLoad,
  StagedRows,
  StepRequest,
  StepResult,
} from '../activities/messages.js';
import { intervalName } from '../definitions/interval.js';
import type { PlanStep } from '../definitions/plan.js';
import { exportFeast } from './export-feast.js';
import type { LoadWatch } from './loads.js';
import { clearing, heavy, publish, quick, waiting } from './profiles.js';

/** Brings one resource up to date for the run's interval, or finds that it is. `note` says what it is doing now. */
export async function runStep(
  resolved: ResolvedRun,
  step: PlanStep,
  note: (doing: string) => void,
  watch: LoadWatch,
): Promise<StepResult> {
  const { run, retries, plan, rebuild, heartbeatTimeout, priority, rollback, promotion, window } = resolved;
  const refresh = step.kind === 'materialize' ? resolved.refresh : undefined;
  const timeout = resolved.timeouts[step.id];
  const interval = step.interval ?? plan.interval;
  const request: StepRequest = {
    run,
    retries,
    step,
    interval,
    rebuild,
    ...(step.kind === 'rollback' && rollback !== undefined ? { rollback } : {}),
    ...(promotion === undefined ? {} : { promotion }),
    ...(window === undefined ? {} : { window }),
    ...(refresh === undefined ? {} : { refresh }),
  };
  // The definition's time limit is for its heavy work, not for waiting or publishing.
  const work: StepRequest = timeout === undefined ? request : { ...request, timeout };
  const settings = { heartbeatTimeout, ...(priority === undefined ? {} : { priority }) };
  const say = (verb: string): string => {
    note(verb);
    return `${verb} ${step.name} ${intervalName(interval)}`;
  };
  // Promotions that were planned before give it no interval.
  if (step.kind === 'retire' && step.interval !== undefined) return await makeRoom();
  for (;;) {
    const claim = await quick(settings, say('claim')).claimStep(request);
    if (claim.state === 'current') return claim.result;
    if (claim.state === 'owned') break;
    await waiting(settings, say(`wait for ${claim.owner.workflowId}: it owns`)).awaitOwner({
      ...request,
      owner: claim.owner,
    });
  }
  switch (step.kind) {
    case 'build':
    case 'transform': {
      const staged = await heavy(settings, say(step.kind)).buildRows(work);
      const validation = await heavy(settings, say('validate')).validateRows({ ...work, staged });
      const stored = await publish(settings, say('store')).storeVersion({ ...request, staged, validation });
      return { ...stored, ms: { [step.kind]: staged.ms, validate: validation.ms, ...stored.ms } };
    }
    case 'trainingSet': {
      const staged: StagedRows = await heavy(settings, say('join')).joinTrainingSet(work);
      const stored = await publish(settings, say('store')).storeVersion({ ...request, staged });
      return { ...stored, ms: { join: staged.ms, ...stored.ms } };
    }
    case 'rollback':
      return await publish(settings, say('roll back')).rollbackVersion(request);
    case 'promote': {
      const promoted = await publish(settings, say('promote')).promoteVariant(request);
      await exportFeast(settings);
      return promoted;
    }
    case 'retire':
      // The load before it has switched: Feast's readers follow now, before what was replaced is taken away.
      await exportFeast(settings);
      return await clearing(settings, say('retire')).retireVariant(request);
    case 'materialize':
      return await materializeStep();
  }

  /**
   * The variant that was the default is loaded under its new name; then Feast's readers follow, and what it was under the plain name goes. Where it
   * cannot be loaded the promotion stands, as it is switched already: the rest is done, and the step fails.
   */
  async function makeRoom(): Promise<StepResult> {
    const { promotion: _, ...ordinary } = resolved;
    const loading = runStep(ordinary, { ...step, kind: 'materialize' }, note, watch);
    const [end] = await Promise.allSettled([loading]);
    const isCancelled =
      end.status === 'rejected' &&
      (isCancellation(end.reason) || CancellationScope.current().consideredCancelled);
    if (isCancelled) return await loading;
    await exportFeast(settings);
    const retired = await clearing(settings, say('retire')).retireVariant(request);
    const loaded = await loading;
    return { ...loaded, ms: { ...loaded.ms, ...retired.ms } };
  }

  async function materializeStep(): Promise<StepResult> {
    for (let round = 1; ; round++) {
      try {
        watch.staging(step.id);
        const load: StagedLoad = await heavy(settings, say('stage')).stageOnline(work);
        watch.staged(step.id, load);
        const counts: LoadCounts[] = await Promise.all(
          load.shards.map(async (_, shard) => {
            const done: LoadCounts = await heavy(
              settings,
              say(`load shard ${shard + 1}/${load.shards.length} of`),
            ).loadShard({ ...work, load, shard });
            watch.shard(step.id, done);
            return done;
          }),
        );
        watch.recording(step.id);
        const loaded = await quick(settings, say('record')).recordLoad({ ...request, load, counts });
        if (refresh === undefined) return loaded;
        const { removed = 0, ms } = await clearing(settings, say('remove what is gone of')).retireVariant(
          request,
        );
        return { ...loaded, removed, ms: { ...loaded.ms, ...ms } };
      } catch (error) {
        // The store was emptied under the load: stage everything again for what is there now.
        if (round >= 5 || !isStoreReplaced(error)) throw error;
      }
    }
  }
}

const isStoreReplaced = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'StoreReplaced';
