import type { PipelineSpec, Resource } from '../definitions/contract.js';
import { endedIntervals } from '../definitions/ended-intervals.js';
import type { Interval } from '../definitions/interval.js';
import { cascade, type MadeInterval } from './cascade.js';
import type { IntervalCoverage } from './coverage.js';
import { coverageRanges, type CoverageRange } from './coverage-ranges.js';
import type { Registry } from './registry.js';

/** What a backfill makes anew, and of what it may go over. */
interface Making {
  readonly pipeline: PipelineSpec;
  /** Ids of the steps in the order in which they are made; none: nothing reads what was made of other intervals. */
  readonly steps: readonly string[];
  /** The intervals of its span, oldest first. */
  readonly found: readonly IntervalCoverage[];
  readonly isMade: (each: IntervalCoverage) => boolean;
  /** Whether it makes valid steps anew as well. */
  readonly isRebuild: boolean;
  /** Whether it makes the intervals of its span as well that become stale by what it makes. */
  readonly isGoneOver: boolean;
  /** ISO-8601. */
  readonly now: string;
}

/** Intervals that become stale once a backfill has made what it makes. */
interface StaleAfter {
  /** Within its span, with why. */
  readonly within: ReadonlyMap<Interval, readonly string[]>;
  /** Those that are valid now and that it leaves so, within its span and after it, as ranges. */
  readonly left: readonly CoverageRange[];
}

/** Finds the intervals that read what a backfill makes anew: by the definitions alone within its span, after it of those that the ledger has. */
export async function staleAfter(
  registry: Pick<Registry, 'ledger'>,
  resources: ReadonlyMap<string, Resource>,
  { pipeline, steps, found, isMade, isRebuild, isGoneOver, now }: Making,
): Promise<StaleAfter> {
  const last = found.at(-1)?.interval.end;
  if (last === undefined || steps.length === 0 || !found.some(isMade)) return { within: new Map(), left: [] };
  const { all: after } = endedIntervals(pipeline, { from: last }, now);
  const made = after.length === 0 ? [] : await registry.ledger.complete(steps, after);
  const within = found.map((each): MadeInterval => ({
    interval: each.interval,
    made: isRebuild ? steps : isMade(each) ? each.unmade : [],
  }));
  const touched = cascade(resources, steps, [...within, ...made.map((interval) => ({ interval, made: [] }))]);
  const left = [...(isGoneOver ? [] : found.filter(({ state }) => state === 'valid')), ...made.map(asValid)];
  return { within: touched, left: coverageRanges(left.filter(({ interval }) => touched.has(interval))) };
}

const asValid = (interval: Interval): IntervalCoverage => ({
  interval,
  state: 'valid',
  reasons: [],
  unmade: [],
});
