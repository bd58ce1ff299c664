import type { Interval } from './interval.js';

/** Which intervals a backfill makes; each takes in those before it. */
export const REPROCESS = ['missing', 'failed', 'stale', 'all'] as const;
export type Reprocess = (typeof REPROCESS)[number];

export const ORDERS = ['oldest', 'newest'] as const;
export type Order = (typeof ORDERS)[number];

/** Intervals in flight at a time, at most. */
export const MOST_AT_ONCE = 100;

/** What a backfill is asked for. */
export interface BackfillRequest {
  /** A pipeline's name; may be left out when targets name it, or when there is only one. */
  readonly pipeline?: string;
  /** Only these targets and what they need. Default: all of the pipeline's. */
  readonly targets?: readonly string[];
  /** Intervals within `[from, to)`: local dates of the schedule's time zone, or ISO-8601. Default: from `startDate` until now. */
  readonly from?: string;
  readonly to?: string;
  /**
   * `missing` (the default): what was never made. `failed`: also what failed last. `stale`: also what was made from other inputs or definitions than
   * it would be now. `all`: everything, also what is valid.
   */
  readonly reprocess?: Reprocess;
  /** Intervals at a time, 1 to 100. Default: 4. */
  readonly concurrency?: number;
  /** Which come first. Default: the oldest. */
  readonly order?: Order;
  /** Stops after so many intervals have failed. Default: the rest goes on. */
  readonly maxFailures?: number;
}

/** What a backfill does, settled at its beginning. */
export interface BackfillPlan {
  readonly pipeline: string;
  /** Names of targets as they were asked for; absent: the pipeline's. */
  readonly targets?: readonly string[];
  /** From the start of the first interval that was looked at to the end of the last; absent when there was none. */
  readonly span?: Interval;
  readonly reprocess: Reprocess;
  readonly concurrency: number;
  readonly order: Order;
  readonly maxFailures?: number;
  /** How many intervals of the span stood how. */
  readonly found: Readonly<Record<string, number>>;
  /** How many of them it makes. */
  readonly selected: number;
  /** Sentences about what it does otherwise than asked, or leaves out. */
  readonly notes: readonly string[];
}

/** One interval that a backfill makes. */
export interface BackfillInterval {
  /** Its place in the order. */
  readonly position: number;
  readonly interval: Interval;
}
