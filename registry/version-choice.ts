import type { BuiltSourceSpec, Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import {
  ALL_TIME,
  durationMicros,
  intervalName,
  isAllTime,
  isAsOf,
  type Interval,
} from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Dataset } from './dataset.js';
import type { Datasets } from './datasets.js';
import { overlapping, tiling, type Tile } from './tiling.js';

/**
 * Who reads versions of a source: for an interval, by the versions' intervals or by their rows' event times; undefined: from the beginning. By another
 * time of the rows, which no version is known by, it reads them all; a source without timestamps as by intervals.
 */
export interface VersionReader {
  readonly interval: Interval;
  readonly by: 'interval' | 'eventTime' | 'otherTime';
  readonly from: string | undefined;
  /** Only the newest of them. */
  readonly newest?: boolean;
  /** Of versions with overlapping intervals those that have each row once: the rows of a label are counted, not looked up. */
  readonly once?: boolean;
}

/** The start of what a build for an interval reads of its inputs; undefined: from the beginning. */
export function readFrom(spec: BuiltSourceSpec, interval: Interval): string | undefined {
  if (spec.lookback === undefined || isAllTime(interval)) return undefined;
  return Timestamp.from(interval.start).plus(-durationMicros(spec.lookback)).toString();
}

/**
 * The versions that a reader sees now, or saw as of a time; oldest interval first.
 * @throws GranaryError `InvalidInterval` where rows that must count once are in several of them, and no choice has each once.
 */
export async function versionsFor(
  datasets: Datasets,
  source: Resource<'source'>,
  reader: VersionReader,
): Promise<Dataset[]> {
  const { interval } = reader;
  // What is left out for what overlaps it is known only with all of them at hand.
  const { from, before } = reader.once === true ? {} : eventRange(source, reader);
  const isOne = reader.newest === true || source.spec.timestampField === undefined;
  const found = isAsOf(interval)
    ? await datasets.asOf(source.id, interval.end)
    : await datasets.current(source.id, {
        ...(from === undefined ? {} : { from }),
        ...(before === undefined ? {} : { before }),
        // Of thousands of versions no more than those that count.
        ...(isByEnd(source, reader)
          ? {
              until: interval.end,
              ...(reader.from === undefined || source.spec.timestampField === undefined
                ? {}
                : { after: reader.from }),
              newest: isOne,
            }
          : {}),
      });
  const chosen = chooseVersions(source, found.map(timed), reader);
  if (reader.once === true) refuseOverlap(source, chosen);
  return chosen;
}

function refuseOverlap({ name }: Resource<'source'>, versions: readonly Dataset[]): void {
  const [one, other] = overlapping(versions)[0] ?? [];
  if (one && other)
    throw new GranaryError(
      'InvalidInterval',
      `The label's source ${name} has versions whose intervals overlap in part, ${intervalName(one.version.interval)} and ${intervalName(other.version.interval)}, so that label rows would count twice. Build one interval that covers them, or under another schedule give the source a new variant.`,
    );
}

/** A version with its times as numbers: whoever chooses for many intervals compares each many times. */
export interface TimedVersion extends Tile {
  readonly dataset: Dataset;
  /** Microseconds: the interval's end, and the rows' event times where they have any. */
  readonly end: bigint;
  readonly eventMin: bigint | undefined;
  readonly eventMax: bigint | undefined;
}

export const timed = (dataset: Dataset): TimedVersion => ({
  dataset,
  interval: dataset.interval,
  end: micros(dataset.interval.end),
  eventMin: dataset.eventTimes && micros(dataset.eventTimes.min),
  eventMax: dataset.eventTimes && micros(dataset.eventTimes.max),
  madeAt: micros(dataset.committedAt),
});

/**
 * Chooses among a source's current versions, oldest interval first. A source without timestamps is whole in each version: its newest one up to the
 * interval's end counts alone.
 */
export function chooseVersions(
  source: Resource<'source'>,
  current: readonly TimedVersion[],
  reader: VersionReader,
): Dataset[] {
  const { interval } = reader;
  const hasTimes = source.spec.timestampField !== undefined;
  const isOnce = reader.once === true && hasTimes;
  if (isByEnd(source, reader)) {
    const found = byEnd(source, current, reader);
    return (isOnce ? tiling(found).chosen : found).map(({ dataset }) => dataset);
  }
  const kind = isAsOf(interval) ? ALL_TIME : interval;
  const all = isOnce
    ? inRange(onceOf(current, kind), eventRange(source, reader))
    : sameKindOfTime(inRange(current, eventRange(source, reader)), kind);
  const last = micros(interval.end);
  const until = (version: TimedVersion): boolean => isAsOf(interval) || version.end <= last;
  const datasets = (chosen: readonly TimedVersion[]): Dataset[] => chosen.map(({ dataset }) => dataset);
  if (!hasTimes) return datasets(all.filter(until).slice(-1));
  if (reader.by !== 'interval') return datasets(all);
  const from = reader.from === undefined ? undefined : micros(reader.from);
  const chosen = all.filter((version) => until(version) && (from === undefined || version.end > from));
  return datasets(reader.newest === true ? chosen.slice(-1) : chosen);
}

/** Whether a reader of an interval chooses by the ends of versions' intervals alone. What holds all of time ends after every interval. */
const isByEnd = ({ spec }: Resource<'source'>, { by, interval }: VersionReader): boolean =>
  !isAllTime(interval) && !isAsOf(interval) && (by === 'interval' || spec.timestampField === undefined);

/** Those that end in `(from, end]`, of versions in the order of their ends: found without looking at each. */
function byEnd(
  { spec }: Resource<'source'>,
  current: readonly TimedVersion[],
  { interval, from, newest = false }: VersionReader,
): readonly TimedVersion[] {
  const isTimeless = spec.timestampField === undefined;
  const high = endingBy(current, micros(interval.end));
  const low = from === undefined || isTimeless ? 0 : endingBy(current, micros(from));
  return current.slice(newest || isTimeless ? Math.max(low, high - 1) : low, high);
}

/** How many versions end at or before an instant. */
function endingBy(current: readonly TimedVersion[], at: bigint): number {
  let [low, high] = [0, current.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((current[middle]?.end ?? at) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface EventRange {
  readonly from?: string | undefined;
  readonly before?: string | undefined;
}

const eventRange = ({ spec }: Resource<'source'>, { by, from, interval }: VersionReader): EventRange =>
  by === 'eventTime' && spec.timestampField !== undefined ? { from, before: interval.end } : {};

/** The versions with rows in a range of event times; one without event times has no rows of any time. */
function inRange(versions: readonly TimedVersion[], range: EventRange): readonly TimedVersion[] {
  const from = range.from === undefined ? undefined : micros(range.from);
  const before = range.before === undefined ? undefined : micros(range.before);
  return versions.filter(
    ({ eventMin, eventMax }) =>
      (from === undefined || (eventMax !== undefined && eventMax >= from)) &&
      (before === undefined || (eventMin !== undefined && eventMin < before)),
  );
}

/**
 * A version of all of time holds the rows of every interval as well: a reader has either that one, or the intervals'. A reader of an interval has
 * these, one of everything whichever kind was made last: the other one is from before a pipeline made the source, or from when one still did.
 */
function sameKindOfTime(found: readonly TimedVersion[], interval: Interval): readonly TimedVersion[] {
  const isWhole = ({ dataset }: TimedVersion): boolean => isAllTime(dataset.interval);
  if (!isAllTime(interval)) return found.filter((version) => !isWhole(version));
  const [first, ...others] = found;
  if (!first) return [];
  const wholeCounts = isWhole(others.reduce((a, b) => (b.madeAt > a.madeAt ? b : a), first));
  return found.filter((version) => isWhole(version) === wholeCounts);
}

/** What was found for readers of intervals, by the versions that it was found among: whoever asks for thousands of intervals asks of the same ones. */
const onceOfIntervals = new WeakMap<readonly TimedVersion[], readonly TimedVersion[]>();

function onceOf(current: readonly TimedVersion[], interval: Interval): readonly TimedVersion[] {
  const isOfAll = isAllTime(interval);
  const known = isOfAll ? undefined : onceOfIntervals.get(current);
  const found = known ?? tiling(sameKindOfTime(current, interval)).chosen;
  if (!isOfAll) onceOfIntervals.set(current, found);
  return found;
}

const micros = (at: string): bigint => Timestamp.from(at).micros;
