import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Due, DueAt } from '../activities/messages.js';

/** How work with a deadline ended: in time or late, with what it resolved to, or cancelled. */
export type Within<T> = { readonly exceeded: false; readonly value: T } | { readonly exceeded: true };

/**
 * Does work that is due: at `warn` it is late, at `cancel` it is cancelled, in a scope of its own; then this waits until it has stopped. Work that
 * was due before it begins is not begun. Timers are durable, and their instants those that an activity computed once. A cancellation from
 * without is none of a deadline's, and is thrown on.
 */
export async function within<T>(
  due: Due | undefined,
  work: () => Promise<T>,
  late: (due: DueAt) => Promise<void>,
): Promise<Within<T>> {
  if (!due) return { exceeded: false, value: await work() };
  const { warn, cancel } = due;
  if (cancel && millisTo(cancel) <= 0) return { exceeded: true };
  const scope = new CancellationScope();
  const timers = new CancellationScope();
  const ended = { byDeadline: false };
  const alarms = timers.run(() =>
    // A warning that cannot be recorded fails no run, and does not keep the other alarm from ringing.
    Promise.allSettled([
      at(warn, (passed) => CancellationScope.nonCancellable(() => late(passed))),
      at(cancel, () => {
        ended.byDeadline = true;
        scope.cancel();
      }),
    ]),
  );
  try {
    return { exceeded: false, value: await scope.run(work) };
  } catch (error) {
    if (ended.byDeadline) return { exceeded: true };
    throw error;
  } finally {
    timers.cancel();
    await alarms;
  }
}

/** Sleeps until an instant, which may have passed. */
export async function sleepUntil(due: DueAt): Promise<void> {
  const ms = millisTo(due);
  if (ms > 0) await sleep(ms);
}

async function at(due: DueAt | undefined, ring: (due: DueAt) => Promise<void> | void): Promise<void> {
  if (!due) return;
  await sleepUntil(due);
  await ring(due);
}

/** Milliseconds until an instant, by the workflow's clock. */
const millisTo = ({ at }: DueAt): number => Date.parse(at) - Date.now();
