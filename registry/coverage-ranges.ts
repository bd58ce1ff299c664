import type { Interval } from '../definitions/interval.js';
import type { IntervalCoverage, IntervalState } from './coverage.js';

/** Intervals in a row that stand alike. */
export interface CoverageRange {
  readonly state: IntervalState;
  /** From the first one's start to the last one's end. */
  readonly span: Interval;
  readonly intervals: number;
  /** Why, each sentence once, in the order in which they came. */
  readonly reasons: readonly string[];
}

/** Joins intervals that follow each other without a gap and stand alike; `found` is oldest first. */
export function coverageRanges(found: readonly IntervalCoverage[]): CoverageRange[] {
  const ranges: CoverageRange[] = [];
  for (const { interval, state, reasons } of found) {
    const last = ranges.at(-1);
    if (last?.state !== state || last.span.end !== interval.start)
      ranges.push({ state, span: interval, intervals: 1, reasons });
    else
      ranges[ranges.length - 1] = {
        state,
        span: { start: last.span.start, end: interval.end },
        intervals: last.intervals + 1,
        reasons: [...new Set([...last.reasons, ...reasons])],
      };
  }
  return ranges;
}

/** How many intervals stand in which way; states that none has are left out. */
export function coverageCounts(
  found: readonly IntervalCoverage[],
): Readonly<Partial<Record<IntervalState, number>>> {
  const counts: Partial<Record<IntervalState, number>> = {};
  for (const { state } of found) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
