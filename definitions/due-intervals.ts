import { GranaryError } from './errors.js';
import { durationMicros, interval, type Interval } from './interval.js';
import { instant, millis, ticksAfter, ticksUntil, type Schedule, type ScheduleBounds } from './ticks.js';
import { nearChangeOfClocks } from './time-zone.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

/** An interval that a scheduled run may have to make. */
export interface DueInterval {
  readonly interval: Interval;
  /** `always`: it is gone over in any case, and left as it is where it is valid. `missing`: only where no run has made it since it ended. */
  readonly when: 'always' | 'missing';
}

/** What of a pipeline says which intervals are due. */
export interface DueRules extends ScheduleBounds {
  readonly schedule: Schedule & { readonly catchup?: string };
  readonly lookback?: number;
}

/**
 * The intervals that a run of a scheduled time is for, oldest first; none before the first one has ended. They are
 * - the run's own, which ends at the last tick; near a change of clocks, where a schedule may fire a second time, only while it is missing;
 * - those directly before it that ended near a change of clocks, where a schedule may not fire: the missing ones;
 * - as many before it as `lookback` says;
 * - for a scheduled time within the `catchup` window before `now`: the missing ones of all that ended in that window.
 */
export function dueIntervals(rules: DueRules, scheduled: TimestampLike, now: TimestampLike): DueInterval[] {
  const { schedule, lookback = 0 } = rules;
  const { timezone } = schedule;
  const at = millis(Timestamp.from(scheduled));
  const present = millis(Timestamp.from(now));
  const first = millis(Timestamp.from(rules.startDate));
  const last = rules.endDate === undefined ? Infinity : millis(Timestamp.from(rules.endDate));
  const window =
    schedule.catchup === undefined ? Infinity : present - Number(durationMicros(schedule.catchup) / 1000n);
  const isCatchup = at > window;
  const limit = Math.min(isCatchup ? Math.max(at, present) : at, last);
  const found: DueInterval[] = [];
  let passed = 0;
  let isUnsure = true;
  for (const { start, end } of spansUntil(schedule, limit)) {
    if (start < first) break;
    // 0: the run's own; 1, 2, ...: before it; -1: it has ended since.
    const place = end > at ? -1 : passed++;
    if (place > 0 && !nearChangeOfClocks(timezone, end)) isUnsure = false;
    const isMissed = isCatchup && end > window;
    if (place > lookback && !isUnsure && !isMissed) break;
    const isFiredTwice = place === 0 && end !== at && nearChangeOfClocks(timezone, at);
    const isGoneOver = place >= 0 && place <= lookback && !isFiredTwice;
    found.push({
      interval: interval(instant(start), instant(end)),
      when: isGoneOver ? 'always' : 'missing',
    });
  }
  return found.reverse();
}

/** The spans between ticks that end at or before an instant, newest first. */
function* spansUntil(
  schedule: Schedule,
  until: number,
): Generator<{ readonly start: number; readonly end: number }> {
  let end: number | undefined;
  for (const start of ticksUntil(schedule, until)) {
    if (end !== undefined) yield { start, end };
    end = start;
  }
}

/**
 * The span in which a schedule has to fire: from the end of the first interval to that of the last, or to the tick after it where it may not fire
 * at that one. An open end is undefined.
 * @throws GranaryError `InvalidDefinition` when no interval lies within the bounds.
 */
export function firingSpan(
  schedule: Schedule,
  { startDate, endDate }: ScheduleBounds,
): { readonly from: Timestamp; readonly to: Timestamp | undefined } {
  const ticks = ticksAfter(schedule, millis(Timestamp.from(startDate).plus(-1n)));
  ticks.next();
  const from = ticks.next().value;
  if (endDate === undefined) return { from: instant(from), to: undefined };
  const limit = millis(Timestamp.from(endDate));
  if (from > limit)
    throw new GranaryError(
      'InvalidDefinition',
      `No interval of the schedule "${schedule.cron}" lies between startDate ${startDate} and endDate ${endDate}: the first would end at ${String(instant(from))}.`,
    );
  const last = ticksUntil(schedule, limit).next().value;
  const isUnsure = nearChangeOfClocks(schedule.timezone, last);
  const to = isUnsure ? ticksAfter(schedule, last).next().value : last;
  return { from: instant(from), to: instant(to) };
}
