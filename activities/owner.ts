import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { workflowRunId, type Claim, type Ownership, type RunRef } from '../registry/ownership.js';

/**
 * Makes the run the owner of a claim, in place of an owner that works on it no more; resolves to the owner that still does, else to undefined.
 * `isAtWork` says which, and may settle what a closed owner left open: nobody has taken its place yet.
 */
export async function own(
  ownership: Ownership,
  claim: Claim,
  run: RunRef,
  isAtWork: (owner: RunRef) => Promise<boolean>,
): Promise<RunRef | undefined> {
  for (;;) {
    const owner = await ownership.claim(claim, run);
    if (owner.id === run.id) return undefined;
    if (await isAtWork(owner)) return owner;
    // Somebody else may be first: then the claim is theirs.
    await ownership.takeOver(claim, owner, run);
  }
}

/** Whether Temporal says that a run is still open. A run that Temporal has forgotten is closed. */
export async function isOpen(run: RunRef): Promise<boolean> {
  return (await closeStatus(run)) === undefined;
}

/** How a workflow closed, in Temporal's words; undefined while it is open. */
export async function closeStatus(run: {
  readonly workflowId: string;
  readonly id: string | undefined;
}): Promise<string | undefined> {
  try {
    const { status } = await Context.current()
      .client.workflow.getHandle(run.workflowId, run.id === undefined ? undefined : workflowRunId(run.id))
      .describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED' ? undefined : status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
    throw error;
  }
}

/** Asks again and again, ever more seldom, until it is so; rejects with the signal's reason. */
export async function until(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let pause = 250; !(await isSo()); pause = Math.min(pause * 1.5, 5000)) await delay(pause, signal);
}

async function delay(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
