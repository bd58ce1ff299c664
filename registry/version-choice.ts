import type { Resource } from '../definitions/contract.js';
import { ALL_TIME, isAllTime, isAsOf, type Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Dataset } from './dataset.js';
import type { Datasets } from './datasets.js';

/** Who reads versions of a source: for an interval, by the versions' intervals or by their rows' event times; undefined: from the beginning. */
export interface VersionReader {
  readonly interval: Interval;
  readonly by: 'interval' | 'eventTime';
  readonly from: string | undefined;
}

/** The versions that a reader sees now, or saw as of a time; oldest interval first. */
export async function versionsFor(
  datasets: Datasets,
  source: Resource<'source'>,
  reader: VersionReader,
): Promise<Dataset[]> {
  const { interval } = reader;
  return chooseVersions(
    source,
    isAsOf(interval)
      ? await datasets.asOf(source.id, interval.end)
      : await datasets.current(source.id, eventRange(source, reader)),
    reader,
  );
}

/**
 * Chooses among a source's current versions, oldest interval first. A source without timestamps is whole in each version: its newest one up to the
 * interval's end counts alone.
 */
export function chooseVersions(
  source: Resource<'source'>,
  current: readonly Dataset[],
  reader: VersionReader,
): Dataset[] {
  const { interval, from } = reader;
  const range = eventRange(source, reader);
  const all = sameKindOfTime(
    current.filter((dataset) => overlaps(dataset, range)),
    isAsOf(interval) ? ALL_TIME : interval,
  );
  const until = (d: Dataset): boolean => isAsOf(interval) || micros(d.interval.end) <= micros(interval.end);
  if (source.spec.timestampField === undefined) return all.filter(until).slice(-1);
  if (reader.by === 'eventTime') return all;
  return all.filter((d) => until(d) && (from === undefined || micros(d.interval.end) > micros(from)));
}

interface EventRange {
  readonly from?: string;
  readonly before?: string;
}

const eventRange = ({ spec }: Resource<'source'>, { by, from, interval }: VersionReader): EventRange =>
  by === 'eventTime' && spec.timestampField !== undefined
    ? { ...(from === undefined ? {} : { from }), before: interval.end }
    : {};

/** Whether a version has rows in a range of event times; one without event times has no rows of any time. */
const overlaps = ({ eventTimes }: Dataset, { from, before }: EventRange): boolean =>
  (from === undefined || (eventTimes !== undefined && micros(eventTimes.max) >= micros(from))) &&
  (before === undefined || (eventTimes !== undefined && micros(eventTimes.min) < micros(before)));

/** A version of all of time holds the rows of every interval as well: a reader has either that one, or the intervals'. */
function sameKindOfTime(found: readonly Dataset[], interval: Interval): Dataset[] {
  const whole = found.filter((dataset) => isAllTime(dataset.interval));
  if (!isAllTime(interval)) return found.filter((dataset) => !whole.includes(dataset));
  return whole.length > 0 ? whole : [...found];
}

const micros = (at: string): bigint => Timestamp.from(at).micros;
