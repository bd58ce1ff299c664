import { compiledContract } from '../definitions/contract-file.js';
import { outcomesOf } from './apply-outcome.js';
import type { Apply } from './applies.js';
import type { Backfill } from './backfill.js';
import { workflowRunId, type RunRef } from './ownership.js';
import type { Registry } from './registry.js';
import type { RunStatus } from './tables.js';

/** How Temporal says that a workflow closed (`TERMINATED`, `NOT_FOUND`, ...); undefined while it is open. */
export type ClosedAs = (run: {
  readonly workflowId: string;
  readonly id: string | undefined;
}) => Promise<string | undefined>;

/** Open runs that are looked at: more than several backfills have in flight at their widest. */
const OPEN = 2000;

const CLOSED: Readonly<Record<string, RunStatus>> = {
  COMPLETED: 'COMPLETED',
  CANCELLED: 'CANCELLED',
  TERMINATED: 'TERMINATED',
  TIMED_OUT: 'DEADLINE_EXCEEDED',
};

/** What becomes of a run that Temporal closed so. */
export const runStatusOf = (closed: string): RunStatus => CLOSED[closed] ?? 'FAILED';

/**
 * Ends in the registry what Temporal closed without its saying so (terminated, timed out): runs, then applies, whose resources become
 * READY or FAILED. Every new run and every reader of statuses does this first. `self` is the run that asks.
 */
export async function settle(registry: Registry, closedAs: ClosedAs, self?: string): Promise<void> {
  // A workflow run may have a hundred parts in flight: Temporal is asked once for all of them.
  const known = new Map<string, ReturnType<ClosedAs>>();
  const askedOnce: ClosedAs = (run) => {
    const key = workflowRunId(run.id ?? '');
    const found = known.get(key) ?? closedAs(run);
    known.set(key, found);
    return found;
  };
  const own = self === undefined ? undefined : workflowRunId(self);
  for (const run of await registry.runs.open(OPEN))
    if (workflowRunId(run.id) !== own) await settleRun(registry, askedOnce, run);
  for (const apply of await registry.applies.open(50))
    if (apply.runId !== self || self === undefined) await settleApply(registry, closedAs, apply);
  for (const backfill of await registry.backfills.open(50))
    if (backfill.runId !== self || self === undefined) await settleBackfill(registry, closedAs, backfill);
}

/** Ends one run whose workflow Temporal closed. */
export async function settleRun(registry: Registry, closedAs: ClosedAs, run: RunRef): Promise<void> {
  const closed = await closedAs(run);
  if (closed !== undefined)
    await registry.runs.end(run.id, runStatusOf(closed), [], `Temporal closed the workflow: ${closed}.`);
}

/** Ends one apply whose workflow Temporal closed. */
export async function settleApply(registry: Registry, closedAs: ClosedAs, apply: Apply): Promise<void> {
  const closed = await closedAs({ workflowId: apply.workflowId, id: apply.runId });
  if (closed === undefined) return;
  const unfinished =
    apply.runId === undefined && closed === 'NOT_FOUND'
      ? 'the workflow of the apply was never started; apply again'
      : `the apply ended before this was made (Temporal closed its workflow: ${closed}); apply again`;
  const { resources } = compiledContract(await registry.applies.contract(apply.id));
  const [items, steps] = await Promise.all([
    registry.applies.items(apply.id),
    registry.applies.steps(childIds(apply)),
  ]);
  const status = closed === 'COMPLETED' ? 'FAILED' : runStatusOf(closed);
  const outcomes = outcomesOf({ resources, items, steps, unfinished });
  await registry.applies.end(apply.id, status, outcomes, unfinished);
  if (apply.runId !== undefined) await registry.runs.end(apply.runId, status, [], unfinished);
}

/** Ends one backfill whose workflow Temporal closed. */
export async function settleBackfill(
  registry: Registry,
  closedAs: ClosedAs,
  backfill: Backfill,
): Promise<void> {
  const { id, workflowId, runId } = backfill;
  let closed = await closedAs({ workflowId, id: runId });
  if (closed === undefined) return;
  // It may have gone on as a new run, or somebody reset it, which closes the old run as terminated; the new one has not said so yet.
  if (runId !== undefined && !(await registry.backfills.isFollowed(backfill))) {
    const newest = await closedAs({ workflowId, id: undefined });
    if (newest === undefined) return;
    if (closed === 'CONTINUED_AS_NEW') closed = newest;
  }
  const never = runId === undefined && closed === 'NOT_FOUND';
  await registry.backfills.end(
    id,
    closed === 'COMPLETED' ? 'FAILED' : runStatusOf(closed),
    never ? 'Its workflow was never started; ask for it again.' : `Temporal closed the workflow: ${closed}.`,
  );
}

/** The workflow ids of the runs that an apply starts. */
export const childIds = ({ workflowId, id, plan }: Pick<Apply, 'workflowId' | 'id' | 'plan'>): string[] =>
  (plan?.runs ?? []).map((_, n) => childId({ workflowId, id }, n));

/** The workflow id of the n-th run that an apply starts; it bears the apply's name. */
export const childId = ({ workflowId, id }: Pick<Apply, 'workflowId' | 'id'>, n: number): string =>
  `${workflowId}${workflowId.endsWith(id) ? '' : `/${id}`}/${n + 1}`;
