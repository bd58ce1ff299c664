import { setTimeout as sleep } from 'node:timers/promises';
import type { GranaryClient } from '../client/index.js';

/** Waits for a run as long as there is a worker to do it. */
export async function awaitRun<T>(client: GranaryClient, result: Promise<T>): Promise<T> {
  const ended = result.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  for (;;) {
    const outcome = await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
    if (!outcome) {
      await client.requireWorker();
      continue;
    }
    if ('value' in outcome) return outcome.value;
    throw outcome.error;
  }
}
