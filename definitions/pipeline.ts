import { GranaryError } from './errors.js';
import type { FeatureView } from './feature-view.js';
import { durationMicros } from './interval.js';
import { checkName } from './names.js';
import type { About, AnySource } from './source.js';
import { Timestamp } from './timestamp.js';
import type { TrainingSet } from './training-set.js';

/** Something a run can make: a feature set, a transformation, a view to materialize, a training set, or its name. */
export type Target = AnySource | FeatureView | TrainingSet | string;

export interface PipelineOptions extends About {
  readonly targets: readonly Target[];
  /** When intervals end and begin: five cron fields in a time zone (default UTC). Each interval lies between two ticks. */
  readonly schedule: { readonly cron: string; readonly timezone?: string };
  /** The first interval starts at or after this. */
  readonly startDate: string;
  /** The last interval ends at or before this; default: none. */
  readonly endDate?: string;
  /** How often a step that reported an error is tried again, and after what delay. Lost workers do not count. */
  readonly retries?: { readonly max: number; readonly delay?: string };
}

/** What a schedule keeps fresh. Not versioned: how and when to run may change freely. */
export interface Pipeline extends About {
  readonly kind: 'pipeline';
  readonly name: string;
  readonly targets: readonly Target[];
  readonly schedule: { readonly cron: string; readonly timezone: string };
  readonly startDate: string;
  readonly endDate: string | undefined;
  readonly retries: { readonly max: number; readonly delay: string };
}

/** Declares a pipeline; its steps are derived: everything upstream of its targets. */
export function pipeline(name: string, options: PipelineOptions): Pipeline {
  checkName('pipeline', name);
  const { targets, schedule, startDate, endDate, retries, ...about } = options;
  if (targets.length === 0)
    throw new GranaryError('InvalidDefinition', `The pipeline ${name} has no targets.`);
  if (schedule.cron.trim().split(/\s+/).length !== 5)
    throw new GranaryError(
      'InvalidDefinition',
      `The pipeline ${name}: the cron expression "${schedule.cron}" must have five fields, such as "0 0 * * *".`,
    );
  const from = Timestamp.from(startDate);
  if (endDate !== undefined && Timestamp.from(endDate).micros <= from.micros)
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
  return Object.freeze({
    kind: 'pipeline',
    name,
    targets,
    schedule: { cron: schedule.cron, timezone: schedule.timezone ?? 'UTC' },
    startDate: from.toString(),
    endDate: endDate === undefined ? undefined : Timestamp.from(endDate).toString(),
    retries: { max, delay },
    ...about,
  });
}
