import { dueIntervals } from './due-intervals.js';
import { isBefore, type Interval } from './interval.js';
import { completeInterval, millis, type Schedule, type ScheduleBounds } from './ticks.js';
import { nearChangeOfClocks } from './time-zone.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

/** The interval that ends at the last tick at `at` (ISO-8601); undefined where none of the pipeline's does. */
export function intervalOfTick(
  { schedule, startDate, endDate }: ScheduleBounds & { readonly schedule: Schedule },
  at: TimestampLike,
): Interval | undefined {
  // Without endDate: after it, the last interval is that of an earlier tick.
  const found = completeInterval(schedule, { startDate }, Timestamp.from(at));
  return found && endDate !== undefined && isBefore(endDate, found.end) ? undefined : found;
}

/**
 * The intervals directly before a tick's own that ended near a change of clocks, where a schedule may not have fired, so that nobody watches them;
 * oldest first. A tick at which it did fire is among them as well: whoever raises something does so once.
 */
export function unwatchedIntervals(
  { schedule, ...bounds }: ScheduleBounds & { readonly schedule: Schedule },
  at: TimestampLike,
): Interval[] {
  const { cron, timezone } = schedule;
  // Of the rules of runs, those of catch-up and lookback say nothing of who watches.
  const rules = { schedule: { cron, timezone }, startDate: bounds.startDate, ...endOf(bounds) };
  const own = intervalOfTick(rules, at);
  return dueIntervals(rules, at, at)
    .map(({ interval }) => interval)
    .filter(({ end }) => end !== own?.end && nearChangeOfClocks(timezone, millis(Timestamp.from(end))));
}

const endOf = ({ endDate }: ScheduleBounds): Pick<ScheduleBounds, 'endDate'> =>
  endDate === undefined ? {} : { endDate };
