import type { BackfillInterval, BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import type { RunRef } from './ownership.js';
import type { RunStatus } from './tables.js';

/** How the intervals of a backfill stand. */
export interface BackfillCounts {
  readonly waiting: number;
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  /** Begun, and ended with the backfill. */
  readonly cancelled: number;
}

/** One backfill as the registry has it. */
export interface Backfill {
  /** Two words. */
  readonly id: string;
  readonly workflowId: string;
  readonly runId: string | undefined;
  readonly by: string;
  readonly at: string;
  readonly request: BackfillRequest;
  readonly plan: BackfillPlan | undefined;
  readonly status: RunStatus;
  readonly pausedBy: string | undefined;
  readonly pausedAt: string | undefined;
  readonly error: string | undefined;
  readonly endedAt: string | undefined;
}

/** An interval that failed, and why. */
export interface FailedInterval extends BackfillInterval {
  readonly error: string;
  /** Its run; undefined when it failed before one was recorded. */
  readonly run: RunRef['id'] | undefined;
}
