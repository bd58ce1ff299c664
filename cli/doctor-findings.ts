import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../definitions/errors.js';
import { registryError } from '../registry/database.js';
import { temporalError } from './failure.js';

/** What a check found. */
export interface Finding {
  readonly check: string;
  /** `fixed`: it was wrong, and `--fix` put it right. `skipped`: something before it must be right first. */
  readonly state: 'ok' | 'warning' | 'failed' | 'fixed' | 'skipped';
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message });
export const fixed = (check: string, message: string): Finding => ({ check, state: 'fixed', message });
export const warning = (check: string, message: string, remedy: string): Finding => ({
  ...{ check, state: 'warning', message, remedy },
});
export const failed = (check: string, message: string, remedy?: string): Finding => ({
  ...{ check, state: 'failed', message },
  ...(remedy === undefined ? {} : { remedy }),
});
export const skipped = (check: string, message: string): Finding => ({ check, state: 'skipped', message });

/** No server that works takes so long to answer all that it is asked. */
const LIMIT_MS = 60_000;

/**
 * The findings of some checks, whatever becomes of them: what they throw is a finding, and so is that they do not end, as where a server accepts
 * connections and says nothing. `check` names them then.
 */
export async function bounded(
  check: string,
  checks: Promise<Finding[]>,
  limitMs = LIMIT_MS,
): Promise<Finding[]> {
  const late = new AbortController();
  try {
    return await Promise.race([
      checks,
      sleep(limitMs, undefined, { signal: late.signal }).then(() => [
        failed(
          check,
          `no answer within ${limitMs / 1000} s`,
          'Check that the server works, and the network to it.',
        ),
      ]),
    ]);
  } catch (error) {
    return [failed(check, messageOf(registryError(temporalError(error))))];
  } finally {
    late.abort();
  }
}

/** A clock that was read from afar: its time and ours, halfway through the question, and half of how long that took; milliseconds. */
export interface ClockReading {
  readonly at: number;
  readonly askedAt: number;
  readonly within: number;
}

/** Clocks that differ by more mislead deadlines, freshness rules and signed requests. */
const TOLERATED_MS = 5000;

/** Compares a server's clock with this machine's. */
export function clockFinding(server: string, { at, askedAt, within }: ClockReading): Finding {
  const off = at - askedAt;
  const check = `clock of ${server}`;
  const text = `${(Math.abs(off) / 1000).toFixed(1)} s ${off < 0 ? 'behind' : 'ahead of'} this machine`;
  if (Math.abs(off) <= TOLERATED_MS + within) return ok(check, text);
  return warning(check, text, 'Let NTP keep the clocks of all machines; deadlines and freshness go by them.');
}
