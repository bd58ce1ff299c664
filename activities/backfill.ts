import { runName } from '../definitions/run-names.js';
import { GranaryError } from '../definitions/errors.js';
import type { BackfillInterval, BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import { outlookOf } from '../registry/backfill-plan.js';
import { settle } from '../registry/settle.js';
import { crashPoint } from './crash-points.js';
import { definitionsOf } from '../registry/definitions.js';
import type { BackfillEnd, BackfillOutcome, BeginBackfill, BegunBackfill } from './messages.js';
import { closeStatus } from './owner.js';
import { PRIORITIES } from '../definitions/priorities.js';
import type { Runtime } from './runtime.js';
import { currentRun } from './step.js';

/** Failures that a workflow's own failure names; the registry has all. */
const NAMED = 5;

/**
 * The first step of each run of a backfill: finds it by name or notes it under a new one, settles what closed workflows left open, and says how far
 * the runs before came.
 * @throws GranaryError `InvalidInput`: one of that name was carried out, or is another workflow's.
 */
export async function beginBackfill(
  runtime: Runtime,
  { name: asked, by = 'Temporal UI', now: _, ...request }: BeginBackfill,
): Promise<BegunBackfill> {
  const { registry } = runtime;
  const run = currentRun();
  await registry.migrate();
  const name = await noted();
  await settle(registry, closeStatus, run.id);
  await crashPoint('backfill.before-begin');
  if (!(await registry.backfills.begin(name, run)))
    throw new GranaryError(
      'InvalidInput',
      `The backfill "${name}" was carried out already, or is another workflow's. Leave "name" out, and it gets one of its own.`,
    );
  await crashPoint('backfill.after-begin');
  const backfill = await registry.backfills.get(name);
  const { completed, failed } = await registry.backfills.counts(name);
  return {
    name,
    heartbeatTimeout: runtime.heartbeatTimeout,
    priority: PRIORITIES.backfill,
    ...(backfill?.plan === undefined ? {} : { plan: backfill.plan }),
    ...{ completed, failed },
    ...(backfill?.pausedBy === undefined ? {} : { pausedBy: backfill.pausedBy }),
  };

  async function noted(): Promise<string> {
    const row = { workflowId: run.workflowId, by, request };
    if (asked !== undefined) {
      await registry.backfills.add({ id: asked, ...row });
      return asked;
    }
    for (;;) {
      // The same again for the same run.
      const known = await registry.backfills.ofRun(run.id);
      if (known) return known.id;
      await registry.backfills.add({ id: runName(Math.random), ...row, runId: run.id });
    }
  }
}

/** Settles what a backfill does, once, and pins it in the registry. */
export async function planBackfill(
  runtime: Runtime,
  { name, now, request }: { readonly name: string; readonly now: string; readonly request: BackfillRequest },
): Promise<BackfillPlan> {
  const { registry } = runtime;
  const definitions = await definitionsOf(runtime);
  await definitions.register();
  const { plan, intervals } = await outlookOf(registry, definitions, request, now);
  await crashPoint('backfill.before-plan');
  const pinned = await registry.backfills.setPlan(name, plan, intervals);
  await crashPoint('backfill.after-plan');
  return pinned;
}

/** The next intervals, after a position, that no run has begun. */
export async function nextIntervals(
  { registry }: Runtime,
  { name, after, limit }: { readonly name: string; readonly after: number; readonly limit: number },
): Promise<readonly BackfillInterval[]> {
  return await registry.backfills.next(name, after, limit);
}

/** Notes that an interval failed, and why. */
export async function failInterval(
  { registry }: Runtime,
  { name, position, error }: { readonly name: string; readonly position: number; readonly error: string },
): Promise<void> {
  await crashPoint('backfill.before-fail');
  await registry.backfills.fail(name, position, error);
  await crashPoint('backfill.after-fail');
}

/** Notes who has paused a backfill, or that it goes on. */
export async function pauseBackfill(
  { registry }: Runtime,
  { name, by }: { readonly name: string; readonly by?: string },
): Promise<void> {
  await registry.backfills.setPaused(name, by);
}

/** Records how a backfill ended. */
export async function finishBackfill(
  { registry }: Runtime,
  { name, status, error }: BackfillEnd,
): Promise<BackfillOutcome> {
  const { completed, failed, waiting, running, cancelled } = await registry.backfills.counts(name);
  const failures = await registry.backfills.failures(name, NAMED);
  await crashPoint('backfill.before-end');
  await registry.backfills.end(name, status === 'COMPLETED' && failed > 0 ? 'FAILED' : status, error);
  await crashPoint('backfill.after-end');
  return {
    completed,
    failed,
    left: waiting + running + cancelled,
    causes: failures.map(({ interval, error: why }) => ({ interval, error: why })),
  };
}
