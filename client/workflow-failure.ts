import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ERROR_CODES, type ErrorCode } from '../definitions/errors.js';

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
