import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { durationMicros } from '../definitions/interval.js';
import { toldText } from '../definitions/told-text.js';
import { registryError } from '../registry/database.js';

/** What the boundary needs to know of a step to count its errors. */
export interface RetryBudget {
  readonly max: number;
  /** Duration text; doubled after each error. */
  readonly delay: string;
  /** Counts this error and resolves to how many the step has reported. */
  count(message: string): Promise<number>;
}

/**
 * Turns whatever an activity threw into Temporal's failure: the code becomes the failure's type, what no retry can mend is
 * non-retryable, and a retryable error becomes so once the step has reported more than `max`.
 */
export async function toFailure(error: unknown, budget?: RetryBudget): Promise<Error> {
  if (error instanceof TemporalFailure) return error;
  const known = registryError(error);
  const own =
    known instanceof GranaryError ? known : new GranaryError('Internal', messageOf(known), { cause: known });
  // A failure of some megabytes never reaches the server, and the step would begin again and again.
  const told = toldText(own.message);
  const failure = (nonRetryable: boolean, message: string, delayMs?: number): ApplicationFailure =>
    ApplicationFailure.create({
      message,
      type: own.code,
      nonRetryable,
      details: [own.details],
      ...(own.cause instanceof Error ? { cause: causeOf(own.cause) } : {}),
      ...(delayMs === undefined ? {} : { nextRetryDelay: delayMs }),
    });
  if (!own.retryable) return failure(true, told);
  // Another attempt took a higher token: if this is the live one after all, its next try takes a higher one still.
  if (!budget || own.code === 'StaleToken') return failure(false, told);
  let errors: number;
  try {
    errors = await budget.count(told);
  } catch {
    // The registry itself is away: nothing can be counted, and nothing can be committed either.
    return failure(false, told, 5000);
  }
  if (errors > budget.max)
    return failure(
      true,
      `${told} (${errors === 1 ? 'no retry is left' : `given up after ${errors} errors`}; retries.max is ${budget.max})`,
    );
  const delayMs = Number(durationMicros(budget.delay) / 1000n) * 2 ** (errors - 1);
  return failure(false, told, Math.min(delayMs, 15 * 60_000));
}

/** How deep causes are told: errors of drivers may refer to each other. */
const DEEPEST = 5;

/** An error's cause as it may be told: see {@link toldText}. */
function causeOf(error: Error, depth = 1): Error {
  if (error instanceof TemporalFailure) return error;
  const { name, message, stack = '' } = error;
  const deeper =
    error.cause instanceof Error && depth < DEEPEST ? causeOf(error.cause, depth + 1) : undefined;
  const cause = new Error(toldText(message), deeper === undefined ? {} : { cause: deeper });
  cause.name = name;
  cause.stack = toldText(stack);
  return cause;
}
