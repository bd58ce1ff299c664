import { GranaryError } from './errors.js';
import type { Interval } from './interval.js';
import {
  completeInterval,
  intervalsBetween,
  localDate,
  type Schedule,
  type ScheduleBounds,
} from './ticks.js';
import { instantIn } from './time-zone.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

const DATE = /^\d{4}-\d\d-\d\d$/;

/**
 * The intervals of a schedule within `[from, to)` that have ended by `now`, oldest first. A date is its midnight in the schedule's time zone; by default
 * `from` is the startDate and `to` is now. `isCut`: some that lie within have not ended.
 * @throws GranaryError `InvalidInterval` when `from` does not come before `to`.
 */
export function endedIntervals(
  { schedule, ...bounds }: ScheduleBounds & { readonly schedule: Schedule },
  { from, to }: { readonly from?: string; readonly to?: string },
  now: string,
): { readonly all: readonly Interval[]; readonly isCut: boolean } {
  const { timezone } = schedule;
  const low = from === undefined ? Timestamp.from(bounds.startDate) : instantIn(timezone, from);
  const high = to === undefined ? Timestamp.from(now) : instantIn(timezone, to);
  if (low.micros >= high.micros) {
    // Nothing has begun yet: nothing is there, and nothing is wrong.
    if (from === undefined || to === undefined) return { all: [], isCut: to === undefined };
    throw new GranaryError(
      'InvalidInterval',
      `A span goes from a time to a later one; from is ${from}, and to is ${to}.`,
    );
  }
  const within = intervalsBetween(schedule, bounds, low, high).filter(
    ({ start, end }) =>
      (from === undefined || !DATE.test(from) || localDate(Timestamp.from(start), timezone) >= from) &&
      (to === undefined || !DATE.test(to) || localDate(Timestamp.from(end).plus(-1n), timezone) < to),
  );
  const limit = Timestamp.from(now).micros;
  const all = within.filter(({ end }) => Timestamp.from(end).micros <= limit);
  return { all, isCut: all.length < within.length };
}

/** What of a pipeline says which of its intervals is the last complete one. */
type Scheduled = ScheduleBounds & { readonly name: string; readonly schedule: Schedule };

/**
 * Holds a run to an interval whose rows can all be there: one that has ended by `at`.
 * @throws GranaryError `InvalidInterval` that says when it ends, and which one to run instead.
 */
export function requireEnded(
  { start, end }: Interval,
  at: TimestampLike,
  pipeline: Scheduled | undefined,
): void {
  const now = Timestamp.from(at);
  if (Timestamp.from(end).micros <= now.micros) return;
  const head = `The interval [${start}, ${end})${pipeline ? ` of ${pipeline.name}` : ''} has not ended yet, and its rows are not all there: it ends at ${end}, and now it is ${String(now)}. Run it then`;
  if (!pipeline)
    throw new GranaryError('InvalidInterval', `${head}, or give an interval that ends before now.`);
  const last = completeInterval(pipeline.schedule, pipeline, now);
  throw new GranaryError(
    'InvalidInterval',
    last
      ? `${head}, or leave the date and the ends out for the last complete one, [${last.start}, ${last.end}).`
      : `${head}; none of its intervals has ended so far.`,
  );
}
