import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { GranaryClient } from '../client/index.js';
import { ERROR_CODES, type ErrorCode } from '../definitions/errors.js';

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

/** What a workflow failed with, in Granary's words; undefined for any other error. */
export function workflowFailure(
  error: unknown,
): { readonly code: ErrorCode; readonly cause: ApplicationFailure } | undefined {
  const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  return {
    cause,
    code: Object.hasOwn(ERROR_CODES, cause.type ?? '') ? (cause.type as ErrorCode) : 'Internal',
  };
}
