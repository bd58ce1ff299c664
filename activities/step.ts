import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { GranaryError } from '../definitions/errors.js';
import { FileHold } from '../providers/files/file-hold.js';
import type { RunRef } from '../registry/ownership.js';
import type { Runtime } from './runtime.js';
import { toFailure } from './failure.js';
import type { StepRequest } from './messages.js';
import { logged } from './step-log.js';

/** The run that the activity at hand belongs to. */
export function currentRun(): RunRef {
  const { workflowExecution } = Context.current().info;
  if (!workflowExecution) throw new GranaryError('Internal', 'This activity belongs to a workflow.');
  return { id: workflowExecution.runId, workflowId: workflowExecution.workflowId };
}

/** What a running attempt has at hand. */
export interface Attempt {
  /** Aborted on cancellation, on shutdown, and when the server no longer knows this attempt. */
  readonly signal: AbortSignal;
  /** What the attempt before kept; undefined on the first one. */
  readonly checkpoint: unknown;
  /** Keeps a checkpoint: it goes out with the next heartbeats until another replaces it. */
  keep(checkpoint: unknown): void;
}

/** Runs the body of a step's activity: heartbeats while it works, counts its errors, and turns them into failures. */
export async function attempt<T>(
  runtime: Runtime,
  request: StepRequest,
  work: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const { run, step, retries } = request;
  const { runs } = runtime.registry;
  const { activityId } = Context.current().info;
  try {
    return await logged(runtime.registry.logs, request, () =>
      beating(work, {
        max: retries.max,
        delay: retries.delay,
        count: (message) => runs.countError(run.id, step.id, activityId, message),
      }),
    );
  } catch (error) {
    // A step that failed for good is nobody's to wait for; StoreReplaced is not: the workflow loads anew.
    if (error instanceof ApplicationFailure && error.nonRetryable && error.type !== 'StoreReplaced')
      await runs.setStep(run.id, step.id, 'FAILED').catch(() => undefined);
    throw error;
  }
}

/** Runs an activity's body with heartbeats; retryable errors stay retryable when no budget is given. */
export async function beating<T>(
  work: (attempt: Attempt) => Promise<T>,
  budget?: Parameters<typeof toFailure>[1],
): Promise<T> {
  const context = Context.current();
  let latest: unknown = context.info.heartbeatDetails;
  // Kept details go out again with each beat: a beat without them would erase what a killed attempt has left.
  const timer = setInterval(() => context.heartbeat(latest), 500);
  try {
    // Copies of stored files stay on this machine's disk for as long as the attempt may read them.
    await using hold = new FileHold();
    return await hold.run(() =>
      work({
        signal: context.cancellationSignal,
        checkpoint: context.info.heartbeatDetails,
        keep: (checkpoint) => {
          latest = checkpoint;
          context.heartbeat(checkpoint);
        },
      }),
    );
  } catch (error) {
    // Cancellation reaches engines as the signal's reason; Temporal wants it back as it was.
    if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
    throw await toFailure(error, budget);
  } finally {
    clearInterval(timer);
  }
}
