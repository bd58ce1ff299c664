import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { GranaryError } from '../definitions/errors.js';
import type { Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { TriggeredRun } from './schedule-types.js';
import type { Workflows } from './workflows.js';

/** `temporal.api.enums.v1.ScheduleOverlapPolicy`: intervals are kept apart by the registry. */
const ALLOW_ALL = 6;

/**
 * Has a schedule start its run for an interval now, beside others of it that are open.
 * @throws GranaryError `ProviderUnreachable` when Temporal does not start it.
 */
export async function triggerRun(
  { temporal }: Workflows,
  run: { readonly id: string; readonly workflowId: string; readonly interval: Interval },
): Promise<TriggeredRun> {
  const { id: scheduleId, workflowId, interval } = run;
  const before = await newestRun(temporal, workflowId);
  // Temporal starts no second run under the id of an open one, and does not say so.
  if (before?.isOpen) return { workflowId, runId: before.runId, interval, outcome: 'joined' };
  const scheduledTime = msToTs(Timestamp.from(interval.end).toDate().getTime());
  await temporal.workflowService.patchSchedule({
    namespace: temporal.options.namespace,
    scheduleId,
    requestId: randomUUID(),
    patch: { triggerImmediately: { scheduledTime, overlapPolicy: ALLOW_ALL } },
  });
  for (let tries = 0; tries < 100; tries++) {
    const newest = await newestRun(temporal, workflowId);
    if (newest && newest.runId !== before?.runId)
      return { workflowId, runId: newest.runId, interval, outcome: 'started' };
    await sleep(100);
  }
  throw new GranaryError(
    'ProviderUnreachable',
    `Temporal accepted the trigger of the schedule ${scheduleId}, but has not started ${workflowId} within 10 s. Look at the schedule in its UI.`,
  );
}

async function newestRun(
  temporal: Client,
  workflowId: string,
): Promise<{ readonly runId: string; readonly isOpen: boolean } | undefined> {
  try {
    const { runId, status } = await temporal.workflow.getHandle(workflowId).describe();
    return { runId, isOpen: status.name === 'RUNNING' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
