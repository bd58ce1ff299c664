import { DAYS_OF_WEEK, MONTHS, type CalendarSpec, type ScheduleOptions } from '@temporalio/client';
import { fingerprint } from '../definitions/canonical.js';
import type { PipelineSpec } from '../definitions/contract.js';
import { cronFields } from '../definitions/cron.js';
import { firingSpan } from '../definitions/due-intervals.js';
import { durationMicros } from '../definitions/interval.js';
import type { Overlap } from '../definitions/pipeline.js';
import { feastProject, type Scope } from '../definitions/project.js';
import type { Schedule } from '../definitions/ticks.js';

/** What a schedule is by its definition, field by field, for people and to be compared. */
export type ScheduleFields = Readonly<Record<string, string | boolean>>;

/** A schedule as a pipeline's definition wants it in Temporal. */
export interface WantedSchedule {
  readonly id: string;
  readonly pipeline: string;
  /** `deadline`: the small one beside it that raises the deadlines of intervals that nobody runs. */
  readonly kind: 'pipeline' | 'deadline';
  readonly fields: ScheduleFields;
  /** Of the fields, and of how this release turns them into a schedule. */
  readonly hash: string;
  readonly spec: ScheduleOptions['spec'];
  readonly action: ScheduleOptions['action'] & { readonly memo: Record<string, unknown> };
  readonly policies: NonNullable<ScheduleOptions['policies']>;
}

/** Kept in the memo of the schedule's action, and hence of every run that it starts. */
export interface ScheduleMemo extends Pick<WantedSchedule, 'pipeline' | 'kind' | 'fields' | 'hash'>, Scope {}

/** The memo's key. */
export const MEMO = 'granary';

/** Raised when equal fields are turned into another schedule. */
const FORM = 1;

/** Temporal's least catchup window: what was missed for longer stays missed. */
const NO_CATCHUP = '10s';

/** A deadline is raised as soon as there is somebody to raise it, however late. */
const DEADLINE_CATCHUP = '365d';

const OVERLAP = {
  skip: 'SKIP',
  bufferOne: 'BUFFER_ONE',
  bufferAll: 'BUFFER_ALL',
  cancelOther: 'CANCEL_OTHER',
  allowAll: 'ALLOW_ALL',
} as const satisfies Record<Overlap, string>;

/** The schedule's id of a pipeline. */
export const scheduleId = (scope: Scope, pipeline: string): string => `${feastProject(scope)}/${pipeline}`;

/** The id of the schedule beside it that raises deadlines. */
export const deadlineScheduleId = (scope: Scope, pipeline: string): string =>
  `${scheduleId(scope, pipeline)}/deadline`;

/**
 * The schedules that a pipeline's definition wants: its own and, where it has a deadline, the one that raises it.
 * @throws GranaryError `InvalidDefinition` when no interval lies between its startDate and endDate.
 */
export function wantedSchedules(scope: Scope, taskQueue: string, pipeline: PipelineSpec): WantedSchedule[] {
  const { name, schedule, deadline } = pipeline;
  const { from, to } = firingSpan(schedule, pipeline);
  const { overlap = 'skip', catchup, jitter, pauseOnFailure = false } = schedule;
  const times = {
    cron: schedule.cron,
    timezone: schedule.timezone,
    startAt: from.toString(),
    endAt: to?.toString() ?? 'never',
  };
  const spec: WantedSchedule['spec'] = {
    calendars: [calendarOf(schedule)],
    timezone: schedule.timezone,
    startAt: from.toDate(),
    ...(to ? { endAt: to.toDate() } : {}),
  };
  const make = (
    kind: WantedSchedule['kind'],
    id: string,
    more: ScheduleFields,
    rest: Pick<WantedSchedule, 'spec' | 'policies'>,
  ): WantedSchedule => {
    const workflowId = `${kind}/${feastProject(scope)}/${name}`;
    const fields = { ...times, ...more, workflow: kind, workflowId, taskQueue };
    const hash = fingerprint({ form: FORM, fields });
    const memo: ScheduleMemo = { ...scope, pipeline: name, kind, fields, hash };
    return {
      ...{ id, pipeline: name, kind, fields, hash, ...rest },
      action: {
        type: 'startWorkflow',
        workflowType: kind,
        args: [{ pipeline: name }],
        workflowId,
        taskQueue,
        staticSummary: kind === 'pipeline' ? `${name} by its schedule` : `deadline of ${name}`,
        memo: { [MEMO]: memo },
      },
    };
  };
  const policy = (text: Overlap, window: string): WantedSchedule['policies'] => ({
    overlap: OVERLAP[text],
    catchupWindow: millisOf(window),
    pauseOnFailure: false,
  });
  const own = make(
    'pipeline',
    scheduleId(scope, name),
    { overlap, catchup: catchup ?? 'off', jitter: jitter ?? 'none', pauseOnFailure },
    {
      spec: { ...spec, ...(jitter === undefined ? {} : { jitter: millisOf(jitter) }) },
      policies: { ...policy(overlap, catchup ?? NO_CATCHUP), pauseOnFailure },
    },
  );
  if (!deadline) return [own];
  const watch = make(
    'deadline',
    deadlineScheduleId(scope, name),
    { overlap: 'allowAll', catchup: DEADLINE_CATCHUP },
    { spec, policies: policy('allowAll', DEADLINE_CATCHUP) },
  );
  return [own, watch];
}

const millisOf = (duration: string): number => Number(durationMicros(duration) / 1000n);

/** The cron expression's values, so that Temporal reads no grammar of its own into it; the text is shown beside them. */
function calendarOf({ cron }: Schedule): CalendarSpec {
  const { minutes, hours, daysOfMonth, months, daysOfWeek } = cronFields(cron);
  return {
    minute: rangesOf(minutes),
    hour: rangesOf(hours),
    dayOfMonth: rangesOf(daysOfMonth),
    month: months.flatMap((month) => MONTHS[month - 1] ?? []),
    dayOfWeek: daysOfWeek.flatMap((day) => DAYS_OF_WEEK[day] ?? []),
    comment: cron,
  };
}

/** Numbers as ranges of consecutive ones. */
function rangesOf(values: readonly number[]): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const value of values) {
    const last = ranges.at(-1);
    if (last?.end === value - 1) last.end = value;
    else ranges.push({ start: value, end: value });
  }
  return ranges;
}
