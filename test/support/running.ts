import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';

const STARTED = 2; // temporal.api.enums.v1.PendingActivityState

/** Waits until an attempt of a workflow's activity is under way. */
export async function untilRunning(handle: WorkflowHandle, activity: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const pending = (await handle.describe()).raw.pendingActivities ?? [];
        return pending.some(
          ({ activityType, state }) => activityType?.name === activity && state === STARTED,
        );
      },
      { interval: 20, timeout: 30_000 },
    )
    .toBe(true);
}
