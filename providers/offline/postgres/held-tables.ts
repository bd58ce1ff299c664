import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import { sqlState } from '../../../definitions/postgres-errors.js';
import type { Connection } from './connection.js';

/** The longest that a change of a table waits for its readers: those who come after it wait as long. */
export const LOCK_TIMEOUT_MS = 500;
const PAUSE_MS = 250;
/** Others hold the table (`lock_not_available`). */
const HELD = '55P03';

/** The SQLSTATE that an error of ours came from. */
export const stateOf = (error: unknown): string | undefined =>
  error instanceof GranaryError ? sqlState(error.cause) : undefined;

/**
 * Runs `work` in a transaction; where others hold a table that it must change, or it fails with one of `more`, again after a pause, up to
 * `attempts` times.
 */
export async function againWhileHeld<T>(
  c: Connection,
  attempts: number,
  work: (attempt: number) => Promise<T>,
  more: readonly string[] = [],
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await c.run('BEGIN');
    try {
      const result = await work(attempt);
      await c.run('COMMIT');
      return result;
    } catch (error) {
      await c.run('ROLLBACK').catch(() => undefined);
      const state = stateOf(error);
      if (state === undefined || (state !== HELD && !more.includes(state)) || attempt >= attempts)
        throw error;
      await sleep(PAUSE_MS);
    }
  }
}
