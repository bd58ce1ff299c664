import { GranaryError } from './errors.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

/** A half-open span `[start, end)` of logical time; both ISO-8601 in UTC. Plain data: it crosses workflow boundaries. */
export interface Interval {
  readonly start: string;
  readonly end: string;
}

/**
 * The one interval of what no pipeline schedules. Its ends are those of what every engine and every ISO-8601 text can
 * express with four digits of a year.
 */
export const ALL_TIME: Interval = { start: '0001-01-01T00:00:00Z', end: '9999-12-31T00:00:00Z' };

/** Whether an interval is {@link ALL_TIME}. */
export const isAllTime = ({ start, end }: Interval): boolean =>
  start === ALL_TIME.start && end === ALL_TIME.end;

/**
 * The interval `[start, end)` in canonical text.
 * @throws GranaryError `InvalidInterval` when it is empty or reversed.
 */
export function interval(start: TimestampLike, end: TimestampLike): Interval {
  const from = Timestamp.from(start);
  const to = Timestamp.from(end);
  if (from.micros >= to.micros)
    throw new GranaryError(
      'InvalidInterval',
      `The interval [${String(from)}, ${String(to)}) is ${from.micros === to.micros ? 'empty' : 'reversed'}: its start must be before its end.`,
    );
  return { start: from.toString(), end: to.toString() };
}

/** Whether two intervals in canonical text are one. */
export const isSameInterval = (a: Interval, b: Interval): boolean => a.start === b.start && a.end === b.end;

/** Whether an instant comes before another; both ISO-8601. */
export const isBefore = (a: string, b: string): boolean =>
  Timestamp.from(a).micros < Timestamp.from(b).micros;

const UNITS = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n } as const;

/**
 * Everything before an instant, as it was recorded then: the interval of a training set that is built as of a time. Its start is that of
 * {@link ALL_TIME}.
 */
export const asOfInterval = (at: TimestampLike): Interval => interval(ALL_TIME.start, at);

/** Whether an interval is that of a training set as of a time. */
export const isAsOf = ({ start, end }: Interval): boolean =>
  start === ALL_TIME.start && !isAllTime({ start, end });

/**
 * A duration text such as `'90s'`, `'15m'`, `'2h'`, `'7d'`, `'1w'` in microseconds. A day is 24 hours.
 * @throws GranaryError `InvalidDefinition` when the text is of another form.
 */
export function durationMicros(text: string): bigint {
  const m = /^(\d+)\s*(s|m|h|d|w)$/.exec(String(text).trim());
  if (!m)
    throw new GranaryError(
      'InvalidDefinition',
      `"${String(text)}" is not a duration. Write a whole number and a unit: 90s, 15m, 2h, 7d or 1w.`,
    );
  return BigInt(m[1] ?? '0') * UNITS[m[2] as keyof typeof UNITS] * 1_000_000n;
}

/** A short name of an interval for summaries: `2001-03-04` for a UTC day, `all of time`, `as of 2001-03-04T00:00:00Z`, else `start..end`. */
export function intervalName({ start, end }: Interval): string {
  if (isAllTime({ start, end })) return 'all of time';
  if (isAsOf({ start, end })) return `as of ${end}`;
  const day = start.slice(0, 10);
  const isDay = Timestamp.from(end).micros - Timestamp.from(start).micros === 86_400_000_000n;
  if (isDay && start === `${day}T00:00:00Z`) return day;
  return `${start}..${end}`;
}
