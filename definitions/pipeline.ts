import { cronFields } from './cron.js';
import { deadlineOf, type Deadline } from './deadline.js';
import { GranaryError } from './errors.js';
import type { FeatureView } from './feature-view.js';
import { durationMicros } from './interval.js';
import { checkName } from './names.js';
import type { About, AnySource } from './source.js';
import { checkTimeZone, instantIn } from './time-zone.js';
import type { TrainingSet } from './training-set.js';

/** Something a run can make: a feature set, a transformation, a view to materialize, a training set, or its name. */
export type Target = AnySource | FeatureView | TrainingSet | string;

export interface PipelineOptions extends About {
  readonly targets: readonly Target[];
  /** When intervals end and begin, and how a schedule starts their runs. */
  readonly schedule: ScheduleOptions;
  /** The first interval starts at or after this: a date, which is its midnight in the schedule's time zone, or an instant. */
  readonly startDate: string;
  /** The last interval ends at or before this, written as `startDate`; default: none. */
  readonly endDate?: string;
  /** How often a step that reported an error is tried again, and after what delay. Lost workers do not count. */
  readonly retries?: { readonly max: number; readonly delay?: string };
  /** An interval is made only when the one before it is valid. Default: false. */
  readonly dependsOnPast?: boolean;
  /**
   * For late data: how many intervals before its own each scheduled run goes over as well. Those whose inputs have changed are made again.
   * Default: 0; 200 at most.
   */
  readonly lookback?: number;
  /** By when after an interval's end its run must be done; a text is `cancel`. Default: no deadline. */
  readonly deadline?: string | Deadline;
}

/** When intervals end and begin, and how a schedule starts their runs. */
export interface ScheduleOptions {
  /** Five cron fields. Each interval lies between two ticks. */
  readonly cron: string;
  /** An IANA name; default UTC. */
  readonly timezone?: string;
  /**
   * How far back ticks that were missed (a server or every worker was away) are made up for: `'3d'`. Default: not at all; a backfill makes
   * such intervals.
   */
  readonly catchup?: false | string;
  /** What happens when a tick comes and the run before is still open. Default: `skip`. */
  readonly overlap?: Overlap;
  /** Each start is put off by a random time up to this, so that many schedules do not start at once: `'5m'`. */
  readonly jitter?: string;
  /** A failed run pauses the schedule; not with overlap `allowAll`. Default: false. */
  readonly pauseOnFailure?: boolean;
}

/** Temporal's overlap policies, without those that end a run by force. */
export const OVERLAPS = ['skip', 'bufferOne', 'bufferAll', 'cancelOther', 'allowAll'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** What a schedule keeps fresh. Not versioned: how and when to run may change freely. */
export interface Pipeline extends About {
  readonly kind: 'pipeline';
  readonly name: string;
  readonly targets: readonly Target[];
  readonly schedule: PipelineSchedule;
  readonly startDate: string;
  readonly endDate: string | undefined;
  readonly retries: { readonly max: number; readonly delay: string };
  /** Undefined where it has its default, as `lookback` and `deadline`. */
  readonly dependsOnPast: true | undefined;
  readonly lookback: number | undefined;
  readonly deadline: Deadline | undefined;
}

/** A pipeline's schedule; what has its default is left out. */
export interface PipelineSchedule {
  readonly cron: string;
  readonly timezone: string;
  readonly catchup?: string;
  readonly overlap?: Overlap;
  readonly jitter?: string;
  readonly pauseOnFailure?: true;
}

/** More than a week of hours: one workflow run goes over all of them. */
const MOST_LOOKBACK = 200;

/** Declares a pipeline; its steps are derived: everything upstream of its targets. */
export function pipeline(name: string, options: PipelineOptions): Pipeline {
  checkName('pipeline', name);
  const { targets, schedule, startDate, endDate, retries, dependsOnPast, lookback, deadline, ...about } =
    options;
  if (targets.length === 0)
    throw new GranaryError('InvalidDefinition', `The pipeline ${name} has no targets.`);
  const when = scheduleOf(name, schedule);
  const from = instantIn(when.timezone, startDate);
  const to = endDate === undefined ? undefined : instantIn(when.timezone, endDate);
  if (to && to.micros <= from.micros)
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${name}: endDate ${endDate} is not after startDate ${startDate}.`,
    );
  const max = retries?.max ?? 3;
  const delay = retries?.delay ?? '10s';
  if (!Number.isInteger(max) || max < 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${name}: retries.max must be a whole number from 0, not ${max}.`,
    );
  durationMicros(delay);
  if (lookback !== undefined && (!Number.isInteger(lookback) || lookback < 0 || lookback > MOST_LOOKBACK))
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${name}: lookback must be a whole number of intervals from 0 to ${MOST_LOOKBACK}, not ${String(lookback)}. What is older is made again by granary backfill ${name} --reprocess stale.`,
    );
  return Object.freeze({
    kind: 'pipeline',
    name,
    targets,
    schedule: when,
    startDate: from.toString(),
    endDate: to?.toString(),
    retries: { max, delay },
    dependsOnPast: dependsOnPast ? true : undefined,
    lookback: lookback === 0 ? undefined : lookback,
    deadline: deadlineOf(`pipeline ${name}`, deadline),
    ...about,
  });
}

function scheduleOf(pipeline: string, options: ScheduleOptions): PipelineSchedule {
  const { cron, timezone = 'UTC', catchup, overlap = 'skip', jitter, pauseOnFailure } = options;
  if (!OVERLAPS.includes(overlap))
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${pipeline}: there is no overlap policy "${String(overlap)}". Choose one of ${OVERLAPS.join(', ')}.`,
    );
  if (pauseOnFailure && overlap === 'allowAll')
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${pipeline}: with overlap "allowAll" Temporal does not look at how a run ends, and pauseOnFailure would do nothing. Leave it out, or choose one of ${OVERLAPS.filter((each) => each !== 'allowAll').join(', ')}.`,
    );
  try {
    cronFields(cron);
    checkTimeZone(timezone);
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    throw new GranaryError(error.code, `The pipeline ${pipeline}: ${error.message}`, { cause: error });
  }
  for (const text of [catchup, jitter]) if (text !== undefined && text !== false) durationMicros(text);
  return {
    cron,
    timezone,
    ...(catchup === undefined || catchup === false ? {} : { catchup }),
    ...(overlap === 'skip' ? {} : { overlap }),
    ...(jitter === undefined ? {} : { jitter }),
    ...(pauseOnFailure ? { pauseOnFailure } : {}),
  };
}
