import { CronExpressionParser } from 'cron-parser';
import { GranaryError, messageOf } from './errors.js';
import { interval, type Interval } from './interval.js';
import { floorDiv, Timestamp, type TimestampLike } from './timestamp.js';

/** A schedule's ticks: five cron fields in a time zone. Not for workflow code: time zones need `Intl`. */
export interface Schedule {
  readonly cron: string;
  readonly timezone: string;
}

/** Where a pipeline's intervals may lie. */
export interface ScheduleBounds {
  readonly startDate: string;
  readonly endDate?: string;
}

const ticks = (schedule: Schedule, at: Timestamp): ReturnType<typeof CronExpressionParser.parse> => {
  try {
    return CronExpressionParser.parse(schedule.cron, { tz: schedule.timezone, currentDate: at.toDate() });
  } catch (error) {
    throw new GranaryError(
      'InvalidDefinition',
      `The schedule "${schedule.cron}" in time zone "${schedule.timezone}" is not valid: ${messageOf(error)}.`,
      { cause: error },
    );
  }
};

/** The last tick at or before an instant. */
function tickAtOrBefore(schedule: Schedule, at: Timestamp): Timestamp {
  // Ticks lie on whole seconds, and `prev` is exclusive: the tick before the next whole second.
  const second = floorDiv(at.micros, 1_000_000n) * 1_000_000n;
  return Timestamp.from(
    ticks(schedule, new Timestamp(second + 1_000_000n))
      .prev()
      .toDate(),
  );
}

/** The first tick after an instant. */
function tickAfter(schedule: Schedule, at: Timestamp): Timestamp {
  return Timestamp.from(ticks(schedule, at).next().toDate());
}

/**
 * The last interval that ends at or before `at` and lies within the bounds.
 * @throws GranaryError `InvalidInterval` when there is none yet.
 */
export function lastCompleteInterval(schedule: Schedule, bounds: ScheduleBounds, at: Timestamp): Interval {
  const limit = bounds.endDate === undefined ? at : min(at, Timestamp.from(bounds.endDate));
  const end = tickAtOrBefore(schedule, limit);
  const start = tickAtOrBefore(schedule, end.plus(-1n));
  if (start.micros < Timestamp.from(bounds.startDate).micros)
    throw new GranaryError(
      'InvalidInterval',
      `No interval is complete at ${String(at)}: the first one starts at or after ${bounds.startDate}.`,
    );
  return interval(start, end);
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
  const noon = Timestamp.from(date);
  // Zones lie within 14 hours of UTC: the local date is within two days of the same date in UTC.
  const starts: Timestamp[] = [];
  for (
    let tick = tickAtOrBefore(schedule, noon.plus(-DAY));
    tick.micros < noon.micros + 2n * DAY;
    tick = tickAfter(schedule, tick)
  )
    if (localDate(tick, schedule.timezone) === date) starts.push(tick);
  const [start, second] = starts;
  if (start === undefined)
    throw new GranaryError(
      'InvalidInterval',
      `No interval of the schedule "${schedule.cron}" (${schedule.timezone}) starts on ${date}.`,
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
  // The first tick at or after the first instant: ticks lie on whole microseconds.
  for (let start = tickAfter(schedule, first.plus(-1n)); ;) {
    const end = tickAfter(schedule, start);
    if (end.micros > limit.micros) return found;
    found.push(interval(start, end));
    start = end;
  }
}

const DAY = 86_400_000_000n;

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

/** The date of an instant in a time zone, `2001-03-04`. */
export function localDate(at: Timestamp, timezone: string): string {
  return new Intl.DateTimeFormat('en-CA', {
    timeZone: timezone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).format(at.toDate());
}

const min = (a: Timestamp, b: Timestamp): Timestamp => (a.micros <= b.micros ? a : b);
const max = (a: Timestamp, b: Timestamp): Timestamp => (a.micros >= b.micros ? a : b);
