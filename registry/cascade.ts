import { isKind, isRaw, type Resource } from '../definitions/contract.js';
import { intervalName, isAllTime, isAsOf, type Interval } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { trainingReads } from './training-reads.js';
import { readFrom } from './version-choice.js';

/** An interval, and what of it is made anew for a reason of its own. */
export interface MadeInterval {
  readonly interval: Interval;
  /** Ids of its steps that are made anew: they were not made, or are stale. */
  readonly made: readonly string[];
}

/** What a step reads of an input: from where on by the versions' intervals or their rows' times; undefined: from the beginning. */
interface Read {
  readonly source: string;
  readonly from: bigint | undefined;
  /** Whether a version whose interval ends at `from` itself may have rows that are read. */
  readonly withFrom: boolean;
}

/**
 * The intervals with steps that read, also by way of others, what is made anew of intervals before them, with a sentence for each such step. `intervals`
 * are oldest first, `steps` in the order in which they are made. A step may turn out to be what it was: a claim finds that out. Rows of a later interval's
 * version with earlier times of their own are not looked for. Pure.
 */
export function cascade(
  resources: ReadonlyMap<string, Resource>,
  steps: readonly string[],
  intervals: readonly MadeInterval[],
): ReadonlyMap<Interval, readonly string[]> {
  /** Of each step the last interval that is made anew, in the order of time. */
  const last = new Map<string, { readonly interval: Interval; readonly end: bigint }>();
  const targets = steps.flatMap((id) => resources.get(id) ?? []);
  const found = new Map<Interval, readonly string[]>();
  for (const { interval, made } of intervals) {
    const own = new Set(made);
    const reasons: string[] = [];
    for (const target of targets) {
      if (!own.has(target.id)) {
        const cause = readsOf(resources, target, interval).find(({ source, from, withFrom }) => {
          const end = last.get(source)?.end;
          return end !== undefined && (from === undefined || end > from || (withFrom && end === from));
        });
        if (!cause) continue;
        const { interval: anew = interval } = last.get(cause.source) ?? {};
        reasons.push(`${target.id} reads ${cause.source} of ${intervalName(anew)}, which is made anew`);
      }
      last.set(target.id, { interval, end: micros(interval.end) });
    }
    if (reasons.length > 0) found.set(interval, reasons);
  }
  return found;
}

/** What of its inputs with versions a step reads for an interval. */
function readsOf(resources: ReadonlyMap<string, Resource>, target: Resource, interval: Interval): Read[] {
  if (isAllTime(interval) || isAsOf(interval)) return [];
  const start = micros(interval.start);
  // A source without timestamps is whole in each version: its own interval's counts alone.
  const isTimeless = ({ spec }: Resource<'source'>): boolean => spec.timestampField === undefined;
  if (isKind(target, 'trainingSet'))
    return trainingReads(resources, target, interval)
      .filter(({ source }) => !isRaw(source.spec))
      .map(({ source, reader: { from } }) => ({
        source: source.id,
        from: isTimeless(source) ? start : from === undefined ? undefined : micros(from),
        // Features may be of their interval's very end.
        withFrom: !isTimeless(source),
      }));
  if (isKind(target, 'view')) return [{ source: target.spec.source, from: start, withFrom: false }];
  if (!isKind(target, 'source') || isRaw(target.spec)) return [];
  const from = readFrom(target.spec, interval);
  return [...new Set(Object.values(target.spec.inputs))]
    .map((id) => resourceOf(resources, id, 'source'))
    .filter(({ spec }) => !isRaw(spec))
    .map((source) => ({
      source: source.id,
      from: isTimeless(source) ? start : from === undefined ? undefined : micros(from),
      withFrom: false,
    }));
}

const micros = (at: string): bigint => Timestamp.from(at).micros;
