import { GranaryError } from './errors.js';
import { Timestamp } from './timestamp.js';

/** Milliseconds: instants since 1970 in UTC, and local times as if they were in UTC. Not for workflow code: time zones need `Intl`. */
type Millis = number;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const found = formats.get(zone);
  if (found) return found;
  const number = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
  let made: Intl.DateTimeFormat;
  try {
    made = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...number, ...clock });
  } catch (error) {
    throw new GranaryError(
      'InvalidDefinition',
      `There is no time zone "${zone}". Write its name in the IANA data base, such as "Europe/Prague", or "UTC".`,
      { cause: error },
    );
  }
  formats.set(zone, made);
  return made;
}

/** @throws GranaryError `InvalidDefinition` when there is no time zone of that name, to Temporal as well, to which letters' case matters. */
export function checkTimeZone(zone: string): void {
  const { timeZone } = formatOf(zone).resolvedOptions();
  if (/^[+-]/.test(zone) || (zone !== timeZone && zone.toLowerCase() === timeZone.toLowerCase()))
    throw new GranaryError(
      'InvalidDefinition',
      `"${zone}" is not the name of a time zone in the IANA data base. Write ${/^[+-]/.test(zone) ? '"UTC" or a name such as "Europe/Prague"' : `"${timeZone}"`}.`,
    );
}

/** How far local time is ahead of UTC at an instant. */
export function offsetAt(zone: string, instant: Millis): Millis {
  if (zone === 'UTC') return 0;
  const second = Math.floor(instant / 1000) * 1000;
  const parts = new Map(
    formatOf(zone)
      .formatToParts(second)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const local = new Date(0);
  local.setUTCFullYear(part('year'), part('month') - 1, part('day'));
  local.setUTCHours(part('hour'), part('minute'), part('second'));
  return local.getTime() - second;
}

/** The offsets at midnight in UTC of the days that were asked for. */
const midnights = new Map<string, Millis>();

function offsetAtMidnight(zone: string, day: Millis): Millis {
  const key = `${zone} ${day}`;
  const found = midnights.get(key);
  if (found !== undefined) return found;
  const offset = offsetAt(zone, day);
  if (midnights.size > 50_000) midnights.clear();
  midnights.set(key, offset);
  return offset;
}

/** The one offset of a local day and those beside it; undefined when clocks are changed there. */
function steadyOffset(zone: string, day: Millis): Millis | undefined {
  if (zone === 'UTC') return 0;
  const [first, ...others] = [-DAY, 0, DAY, 2 * DAY].map((by) => offsetAtMidnight(zone, day + by));
  return others.every((other) => other === first) ? first : undefined;
}

/** When a local time is. */
export interface LocalInstants {
  /**
   * `skipped`: clocks are put forward over it, so that it never is; `at` is then as much later as they are put forward. `repeated`: clocks are put
   * back over it, so that it is twice.
   */
  readonly kind: 'plain' | 'skipped' | 'repeated';
  readonly at: Millis;
  /** The second time of what is repeated. */
  readonly again?: Millis;
}

/** The instants of a local time. */
export function instantsOf(zone: string, local: Millis): LocalInstants {
  const offset = steadyOffset(zone, Math.floor(local / DAY) * DAY);
  if (offset !== undefined) return { kind: 'plain', at: local - offset };
  const before = offsetAt(zone, local - DAY);
  const offsets = [...new Set([before, offsetAt(zone, local + DAY)])];
  const [at, again] = offsets
    .map((by) => local - by)
    .filter((instant) => instant + offsetAt(zone, instant) === local)
    .sort((a, b) => a - b);
  if (at === undefined) return { kind: 'skipped', at: local - before };
  return again === undefined ? { kind: 'plain', at } : { kind: 'repeated', at, again };
}

/** Whether clocks are changed within three hours of an instant: whoever fires by local time may then fire twice, late or not at all. */
export const nearChangeOfClocks = (zone: string, instant: Millis): boolean =>
  offsetAt(zone, instant - 3 * HOUR) !== offsetAt(zone, instant + 3 * HOUR);

const DATE = /^\d{4}-\d\d-\d\d$/;

/** An instant from a text; of a bare date the first instant of that local day. @throws GranaryError `InvalidInput` for what is no date. */
export function instantIn(zone: string, text: string): Timestamp {
  const at = Timestamp.from(text);
  return DATE.test(text.trim()) ? Timestamp.from(new Date(instantsOf(zone, at.toDate().getTime()).at)) : at;
}
