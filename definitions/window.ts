import { GranaryError } from './errors.js';
import { durationMicros, interval, type Interval } from './interval.js';
import { Timestamp } from './timestamp.js';

/** Where a window without a `from` begins. Not where all of time does: that is the interval of what no pipeline schedules. */
export const BEGINNING = '0001-01-02T00:00:00Z';

/** The ends of a window as people write them; see {@link instantOf}. */
export interface WindowText {
  readonly from?: string;
  readonly to?: string;
}

/**
 * An instant as people write it: ISO-8601 (a date alone is its midnight in UTC, a time without a zone is UTC), `now`, or a time before it: `-2d`,
 * `-36h`.
 * @throws GranaryError `InvalidInput`.
 */
export function instantOf(text: string, now: Timestamp, where: string): Timestamp {
  const [, back] = /^-\s*(\d+\s*[a-z]+)$/i.exec(text.trim()) ?? [];
  if (/^now$/i.test(text.trim())) return now;
  try {
    return back === undefined ? Timestamp.from(text) : now.plus(-durationMicros(back.toLowerCase()));
  } catch (error) {
    throw new GranaryError(
      'InvalidInput',
      `${where}: "${text}" is no time. Write a date (2026-01-31: its midnight in UTC), ISO-8601 (2026-01-31T09:00:00+09:00), now, or a time before it: -36h, -2d.`,
      { cause: error },
    );
  }
}

/**
 * The window `[from, to)`; without `from` it begins before everything, without `to` it ends now. Undefined when neither is given.
 * @throws GranaryError `InvalidInput`; `InvalidInterval` when it is empty or reversed.
 */
export function windowOf({ from, to }: WindowText, now: Timestamp): Interval | undefined {
  if (from === undefined && to === undefined) return undefined;
  return interval(
    from === undefined ? BEGINNING : instantOf(from, now, 'from'),
    to === undefined ? now : instantOf(to, now, 'to'),
  );
}

/** Whether an interval lies in a window as a whole; undefined: not at all. */
export function liesIn({ start, end }: Interval, window: Interval): 'whole' | 'partly' | undefined {
  const [from, to] = [Timestamp.from(window.start).micros, Timestamp.from(window.end).micros];
  const [first, last] = [Timestamp.from(start).micros, Timestamp.from(end).micros];
  if (first >= from && last <= to) return 'whole';
  return first < to && last > from ? 'partly' : undefined;
}
