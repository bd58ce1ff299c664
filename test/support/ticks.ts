import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { until } from './until.js';
import type { World } from './world.js';

/** The duration from an interval's end to `ms` from now, in whole seconds, as a deadline has it: what is declared then is due then. */
export const fromNow = (end: string, ms: number): string =>
  `${Math.ceil((Date.now() + ms - Date.parse(end)) / 1000)}s`;

/** Starts a workflow as a schedule does at a tick, which may lie in the past: its schedule is paused and fires but this once. */
export async function atTick(
  { temporal }: Pick<World, 'temporal'>,
  taskQueue: string,
  workflowType: string,
  args: readonly unknown[],
  tick: string,
): Promise<WorkflowHandle> {
  const scheduleId = `tick-${randomBytes(5).toString('hex')}`;
  const at = new Date(tick);
  const schedule = await temporal.schedule.create({
    scheduleId,
    spec: { cronExpressions: [`${at.getUTCMinutes()} ${at.getUTCHours()} * * *`] },
    state: { paused: true },
    action: { type: 'startWorkflow', workflowType, taskQueue, workflowId: scheduleId, args: [...args] },
  });
  try {
    await schedule.backfill({ start: at, end: at, overlap: 'ALLOW_ALL' });
    const handle = temporal.workflow.getHandle(`${scheduleId}-${tick}`);
    const isThere = (): Promise<boolean> =>
      handle.describe().then(
        () => true,
        () => false,
      );
    await until('the workflow of the tick', isThere, { timeoutMs: 30_000 });
    return handle;
  } finally {
    await schedule.delete();
  }
}
