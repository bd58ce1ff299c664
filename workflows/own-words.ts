import { ActivityFailure, ApplicationFailure, isCancellation, workflowInfo } from '@temporalio/workflow';

/** Work of activities of which a failure is the run's: non-retryable, with the activity's message and type, not Temporal's wrapping of them. */
export async function inOwnWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (
      isCancellation(error) ||
      !(error instanceof ActivityFailure) ||
      !(error.cause instanceof ApplicationFailure)
    )
      throw error;
    const { message, type, details } = error.cause;
    throw ApplicationFailure.create({
      message,
      type: type ?? 'Internal',
      nonRetryable: true,
      details: details ?? [],
    });
  }
}

/** The time that "the last complete interval" counts from: a scheduled run's tick, else the start of the workflow. */
export function logicalNow(): string {
  return (scheduledTime() ?? workflowInfo().startTime).toISOString();
}

/** The workflow's time: that of its server, the same whenever its history is gone over again. */
export const presentTime = (): string => new Date(Date.now()).toISOString();

/** Whether a schedule started the workflow. */
export const isScheduled = (): boolean => scheduledTime() !== undefined;

/** The tick of the schedule that started the workflow, without jitter. */
export function scheduledTime(): Date | undefined {
  const scheduled = workflowInfo()
    .typedSearchAttributes.getAll()
    .find(({ key }) => key.name === 'TemporalScheduledStartTime')?.value;
  return scheduled instanceof Date ? scheduled : undefined;
}
