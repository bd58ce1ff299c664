import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client, type WorkflowService } from '@temporalio/client';
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
  const scheduledTime = timeOf(Timestamp.from(interval.end).toDate());
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

type Patch = NonNullable<Parameters<WorkflowService['patchSchedule']>[0]['patch']>;
type ProtoTime = NonNullable<NonNullable<Patch['triggerImmediately']>['scheduledTime']>;

/** An instant of whole milliseconds in Temporal's form. Its type wants a Long of seconds; a number is sent alike. */
function timeOf(at: Date): ProtoTime {
  const ms = at.getTime();
  const seconds: unknown = Math.floor(ms / 1000);
  return { seconds: seconds as NonNullable<ProtoTime['seconds']>, nanos: (ms % 1000) * 1_000_000 };
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
