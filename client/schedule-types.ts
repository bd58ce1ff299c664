import type { Interval } from '../definitions/interval.js';
import type { ScheduleFields } from './schedule-spec.js';

/** What an apply of schedules is asked for. */
export interface ApplySchedulesOptions {
  /** Names; default: all pipelines of the project. */
  readonly pipelines?: readonly string[];
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean;
  /** Deletes the schedules of this project and environment whose pipelines are not declared any more. Not with `pipelines`. */
  readonly prune?: boolean;
}

/** What an apply did with one schedule, or would do. */
export interface ScheduleChange {
  readonly id: string;
  readonly pipeline: string;
  readonly kind: 'pipeline' | 'deadline';
  /** `undeclared`: it stays; an apply with `prune` deletes it. */
  readonly action: 'create' | 'update' | 'unchanged' | 'delete' | 'undeclared';
  /** Field by field: `cron: "0 0 * * *" -> "0 1 * * *"`; of a new one all that it is. */
  readonly fields: readonly string[];
  /** A pause that stays, with its note. */
  readonly paused?: { readonly note: string };
}

export interface ScheduleSummary {
  readonly id: string;
  readonly pipeline: string;
  /** `missing`: declared, and not applied; `undeclared`: applied, and not declared any more. */
  readonly state: 'active' | 'paused' | 'missing' | 'undeclared';
  readonly cron: string;
  readonly timezone: string;
  /** Why it is paused. */
  readonly note?: string;
  /** When it starts the next run; ISO-8601 in UTC. Absent while it is paused, missing or over. */
  readonly next?: string;
  /** How its definition differs from what was applied, field by field. */
  readonly differs: readonly string[];
  /** The schedule that raises its deadlines, where it has one or should. The only one that is left bears its id. */
  readonly deadline?: DeadlineScheduleSummary;
}

/** `missing`: a deadline is declared, and not applied; `undeclared`: it is applied, and not declared any more. */
export interface DeadlineScheduleSummary {
  readonly id: string;
  readonly state: ScheduleSummary['state'];
}

/** A run that a schedule started or will start. Instants are ISO-8601 in UTC. */
export interface ScheduledTime {
  readonly at: string;
  /** The interval that the run is for; absent before the first one. */
  readonly interval?: Interval;
}

/** A run that a schedule started. */
export interface ScheduledRun extends ScheduledTime {
  readonly startedAt: string;
  readonly workflowId: string;
  readonly runId: string;
  /** As Temporal has it: `RUNNING`, `COMPLETED`, `FAILED`, ...; `GONE` once it has forgotten the run. */
  readonly status: string;
}

export interface ScheduleDetail extends ScheduleSummary {
  /** What was applied, field by field: cron, time zone, span, overlap, catchup, jitter, pauseOnFailure, task queue. */
  readonly applied: ScheduleFields;
  /** The next ten times at most; of a paused one those that it would start. */
  readonly upcoming: readonly ScheduledTime[];
  /** The last ten runs at most, newest first. */
  readonly recent: readonly ScheduledRun[];
  readonly counts: {
    readonly started: number;
    /** Ticks at which the run before was still open, by the overlap policy. */
    readonly skipped: number;
    /** Ticks that Temporal noticed after the catchup window. */
    readonly missed: number;
  };
}

/** A run that was started for one interval. */
export interface TriggeredRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly interval: Interval;
  /** `joined`: a run of the same scheduled time is open already, and this is it. */
  readonly outcome: 'started' | 'joined';
}
