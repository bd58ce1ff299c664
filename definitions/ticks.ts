import { cronFields } from './cron.js';
import { GranaryError } from './errors.js';
import { interval, type Interval } from './interval.js';
import { instantsOf, offsetAt } from './time-zone.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

/**
 * A schedule's ticks: the local times of five cron fields in a time zone. A local time that clocks are put forward over is taken as much later; of
 * one that they are put back over the first counts, and both where every hour has ticks. Not for workflow code: time zones need `Intl`.
 */
export interface Schedule {
  readonly cron: string;
  readonly timezone: string;
}

/** Where a pipeline's intervals may lie. */
export interface ScheduleBounds {
  readonly startDate: string;
  readonly endDate?: string;
}

const DAY = 86_400_000;
/** Eight years: even a 29th of February comes within it, but for a year such as 1900. */
const LONGEST = 3000;

/** The ticks of a local day (its midnight as if in UTC), by local time. */
function ticksOfDay({ cron, timezone }: Schedule, day: number): number[] {
  const { minutes, hours, daysOfMonth, months, daysOfWeek } = cronFields(cron);
  const date = new Date(day);
  if (!months.includes(date.getUTCMonth() + 1)) return [];
  if (!daysOfMonth.includes(date.getUTCDate()) || !daysOfWeek.includes(date.getUTCDay())) return [];
  const found: number[] = [];
  for (const hour of hours)
    for (const minute of minutes) {
      const { at, again } = instantsOf(timezone, day + hour * 3_600_000 + minute * 60_000);
      found.push(at);
      if (again !== undefined && hours.length === 24) found.push(again);
    }
  return found;
}

const ascending = (ticks: readonly number[]): number[] => [...new Set(ticks)].sort((a, b) => a - b);

/** The local day of an instant. */
const dayOf = (zone: string, instant: number): number =>
  Math.floor((instant + offsetAt(zone, instant)) / DAY) * DAY;

/** The date of an instant in a time zone, `2001-03-04`. */
export const localDate = (at: Timestamp, timezone: string): string =>
  new Date(dayOf(timezone, millis(at))).toISOString().slice(0, 10);

const never = ({ cron }: Schedule): GranaryError =>
  new GranaryError('InvalidDefinition', `The schedule "${cron}" never comes: no month has such a day.`);

/** The ticks after an instant, ascending, without end; both in milliseconds. */
export function* ticksAfter(schedule: Schedule, after: number): Generator<number, never> {
  const { timezone } = schedule;
  const first = dayOf(timezone, after) - DAY;
  let pool: number[] = [];
  for (let day = first, idle = 0; idle < LONGEST; day += DAY) {
    pool = ascending([...pool, ...ticksOfDay(schedule, day)]).filter((tick) => tick > after);
    // A skipped local time may come after the first of the next day.
    const bound = instantsOf(timezone, day + DAY).at;
    idle = pool.length === 0 ? idle + 1 : 0;
    for (const tick of pool) if (tick < bound) yield tick;
    pool = pool.filter((tick) => tick >= bound);
  }
  throw never(schedule);
}

/** The ticks at or before an instant, descending, without end; both in milliseconds. */
export function* ticksUntil(schedule: Schedule, until: number): Generator<number, never> {
  const { timezone } = schedule;
  const first = dayOf(timezone, until) + DAY;
  let pool: number[] = [];
  for (let day = first, idle = 0; idle < LONGEST; day -= DAY) {
    pool = ascending([...pool, ...ticksOfDay(schedule, day)]).filter((tick) => tick <= until);
    // Skipped local times of days before may reach into this one, no further.
    const bound = instantsOf(timezone, day + DAY).at;
    idle = pool.length === 0 ? idle + 1 : 0;
    for (const tick of pool.toReversed()) if (tick >= bound) yield tick;
    pool = pool.filter((tick) => tick < bound);
  }
  throw never(schedule);
}

/** An instant in whole milliseconds, cut towards the past. */
export const millis = (at: Timestamp): number => at.toDate().getTime();
/** The instant of so many milliseconds. */
export const instant = (ms: number): Timestamp => new Timestamp(BigInt(ms) * 1000n);

/** The last tick at or before an instant. */
function tickAtOrBefore(schedule: Schedule, at: Timestamp): Timestamp {
  return instant(ticksUntil(schedule, millis(at)).next().value);
}

/** The first tick after an instant. */
function tickAfter(schedule: Schedule, at: Timestamp): Timestamp {
  return instant(ticksAfter(schedule, millis(at)).next().value);
}

/** The last interval that ends at or before `at` and lies within the bounds; undefined when there is none yet. */
export function completeInterval(
  schedule: Schedule,
  bounds: ScheduleBounds,
  at: Timestamp,
): Interval | undefined {
  const limit = bounds.endDate === undefined ? at : min(at, Timestamp.from(bounds.endDate));
  const end = tickAtOrBefore(schedule, limit);
  const start = tickAtOrBefore(schedule, end.plus(-1n));
  return start.micros < Timestamp.from(bounds.startDate).micros ? undefined : interval(start, end);
}

/**
 * The last interval that ends at or before `at` and lies within the bounds.
 * @throws GranaryError `InvalidInterval` when there is none yet.
 */
export function lastCompleteInterval(schedule: Schedule, bounds: ScheduleBounds, at: Timestamp): Interval {
  const found = completeInterval(schedule, bounds, at);
  if (found) return found;
  throw new GranaryError(
    'InvalidInterval',
    `No interval is complete at ${String(at)}: the first one starts at or after ${bounds.startDate}.`,
  );
}

/**
 * The interval that starts on a local date of the schedule's time zone.
 * @throws GranaryError `InvalidInterval`: no such date, none or several start on it, or it lies outside the bounds.
 */
export function intervalOfDate(schedule: Schedule, bounds: ScheduleBounds, date: string): Interval {
  if (!/^\d{4}-\d\d-\d\d$/.test(date))
    throw new GranaryError(
      'InvalidInterval',
      `"${date}" is not a date. Write a local date in ${schedule.timezone}, such as "2001-03-04".`,
    );
  const { timezone } = schedule;
  const day = millis(Timestamp.from(date));
  // Zones lie within 14 hours of UTC: the local date is within two days of the same date in UTC.
  const starts: Timestamp[] = [];
  for (const at of ticksAfter(schedule, day - DAY)) {
    if (at >= day + 2 * DAY) break;
    if (dayOf(timezone, at) === day) starts.push(instant(at));
  }
  const [start, second] = starts;
  if (start === undefined)
    throw new GranaryError(
      'InvalidInterval',
      `No interval of the schedule "${schedule.cron}" (${timezone}) starts on ${date}.`,
    );
  if (second)
    throw new GranaryError(
      'InvalidInterval',
      `${starts.length} intervals of the schedule "${schedule.cron}" start on ${date}. Choose one with from and to: ${String(start)} to ${String(second)} is the first.`,
    );
  return within(bounds, interval(start, tickAfter(schedule, start)));
}

/**
 * Checks that `[from, to)` is an interval of the schedule.
 * @throws GranaryError `InvalidInterval` that names the nearest one.
 */
export function intervalOfRange(
  schedule: Schedule,
  bounds: ScheduleBounds,
  from: string,
  to: string,
): Interval {
  const wanted = interval(from, to);
  const start = tickAtOrBefore(schedule, Timestamp.from(wanted.start));
  const nearest = interval(start, tickAfter(schedule, start));
  if (nearest.start !== wanted.start || nearest.end !== wanted.end)
    throw new GranaryError(
      'InvalidInterval',
      `[${wanted.start}, ${wanted.end}) is no interval of the schedule "${schedule.cron}" (${schedule.timezone}). The one at that time is [${nearest.start}, ${nearest.end}).`,
    );
  return within(bounds, wanted);
}

/**
 * The intervals of the schedule that lie within `[from, to)` and within the bounds, oldest first.
 * @throws GranaryError `InvalidInterval` when `[from, to)` is empty or reversed.
 */
export function intervalsBetween(
  schedule: Schedule,
  bounds: ScheduleBounds,
  from: TimestampLike,
  to: TimestampLike,
): Interval[] {
  const span = interval(from, to);
  const first = max(Timestamp.from(span.start), Timestamp.from(bounds.startDate));
  const limit = min(Timestamp.from(span.end), Timestamp.from(bounds.endDate ?? span.end));
  const found: Interval[] = [];
  let start: number | undefined;
  for (const at of ticksAfter(schedule, millis(first.plus(-1n)))) {
    if (at > millis(limit)) break;
    if (start !== undefined) found.push(interval(instant(start), instant(at)));
    start = at;
  }
  return found;
}

function within(bounds: ScheduleBounds, found: Interval): Interval {
  const early = Timestamp.from(found.start).micros < Timestamp.from(bounds.startDate).micros;
  const late =
    bounds.endDate !== undefined && Timestamp.from(found.end).micros > Timestamp.from(bounds.endDate).micros;
  if (early || late)
    throw new GranaryError(
      'InvalidInterval',
      `The interval [${found.start}, ${found.end}) lies ${early ? `before the pipeline's startDate ${bounds.startDate}` : `after the pipeline's endDate ${bounds.endDate ?? ''}`}.`,
    );
  return found;
}

const min = (a: Timestamp, b: Timestamp): Timestamp => (a.micros <= b.micros ? a : b);
const max = (a: Timestamp, b: Timestamp): Timestamp => (a.micros >= b.micros ? a : b);
