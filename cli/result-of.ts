import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { GranaryClient, RunHandle, RunResult } from '../client/index.js';
import { ERROR_CODES, GranaryError, type ErrorCode } from '../definitions/errors.js';

/**
 * Waits for a run as long as there is a worker to do it.
 * @throws GranaryError the run's failure in Granary's words, with its details.
 */
export async function resultOf(client: GranaryClient, run: RunHandle): Promise<RunResult> {
  const ended = run.result().then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  for (;;) {
    const outcome = await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
    if (!outcome) {
      await client.requireWorker();
      continue;
    }
    if ('result' in outcome) return outcome.result;
    const { error } = outcome;
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure)) throw error;
    const code = Object.hasOwn(ERROR_CODES, cause.type ?? '') ? (cause.type as ErrorCode) : 'Internal';
    const details = (cause.details?.[0] ?? {}) as Record<string, unknown>;
    throw new GranaryError(code, cause.message, { details, cause });
  }
}
