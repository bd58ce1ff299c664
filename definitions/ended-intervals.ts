import { GranaryError } from './errors.js';
import type { Interval } from './interval.js';
import { instant, intervalsBetween, localDate, type Schedule, type ScheduleBounds } from './ticks.js';
import { instantsOf } from './time-zone.js';
import { Timestamp } from './timestamp.js';

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
  const low = boundOf(timezone, from ?? bounds.startDate, from !== undefined);
  const high = boundOf(timezone, to ?? now, to !== undefined);
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

/** An instant that somebody gave; of a date the first instant of that local day. */
const boundOf = (timezone: string, text: string, given: boolean): Timestamp => {
  const at = Timestamp.from(text);
  return given && DATE.test(text) ? instant(instantsOf(timezone, at.toDate().getTime()).at) : at;
};
