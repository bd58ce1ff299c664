import { WorkflowNotFoundError } from '@temporalio/client';
import type { PipelineSpec } from '../definitions/contract.js';
import { difference } from '../definitions/diff.js';
import { completeInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { WantedSchedule } from './schedule-spec.js';
import type { FoundSchedule } from './schedule-store.js';
import type { ScheduleDetail, ScheduledRun, ScheduledTime, ScheduleSummary } from './schedule-types.js';
import type { Workflows } from './workflows.js';

/** What a pipeline wants, and what it has in Temporal beside its own schedule: the one that raises its deadlines. */
export interface Declared {
  readonly pipeline: PipelineSpec;
  readonly wanted: WantedSchedule;
}

/** A schedule in a line; `declared` is undefined when no pipeline declares it. */
export function summaryOf(
  { id, description, memo }: FoundSchedule,
  declared: Declared | undefined,
  beside: FoundSchedule | undefined,
): ScheduleSummary {
  const wanted = declared?.wanted;
  const { state, info } = description;
  const [next] = info.nextActionTimes;
  const fields = memo?.fields ?? {};
  return {
    id,
    pipeline: memo?.pipeline ?? wanted?.pipeline ?? '',
    state: !wanted ? 'undeclared' : state.paused ? 'paused' : 'active',
    cron: String(fields['cron'] ?? ''),
    timezone: String(fields['timezone'] ?? ''),
    ...(state.paused && state.note !== undefined ? { note: state.note } : {}),
    ...(state.paused || !next ? {} : { next: textOf(next) }),
    differs: wanted && wanted.hash !== memo?.hash ? difference('', fields, wanted.fields) : [],
    ...besideOf(id, declared, beside),
  };
}

/** A pipeline that has no schedule yet, or none any more. */
export const missingSchedule = (declared: Declared, beside: FoundSchedule | undefined): ScheduleSummary => ({
  ...{ id: declared.wanted.id, pipeline: declared.pipeline.name, state: 'missing', differs: [] },
  cron: String(declared.wanted.fields['cron']),
  timezone: String(declared.wanted.fields['timezone']),
  ...besideOf(declared.wanted.id, declared, beside),
});

/** The schedule of deadlines of which nothing else is left: neither the pipeline nor its own schedule. */
export const leftDeadline = (beside: FoundSchedule): ScheduleSummary => ({
  ...summaryOf(beside, undefined, undefined),
  deadline: { id: beside.id, state: 'undeclared' },
});

function besideOf(
  id: string,
  declared: Declared | undefined,
  beside: FoundSchedule | undefined,
): Pick<ScheduleSummary, 'deadline'> {
  const isDeclared = declared?.pipeline.deadline !== undefined;
  if (!isDeclared && !beside) return {};
  const found = beside?.description.state.paused ? 'paused' : 'active';
  return {
    deadline: {
      id: beside?.id ?? `${id}/deadline`,
      state: !beside ? 'missing' : isDeclared ? found : 'undeclared',
    },
  };
}

const textOf = (date: Date): string => Timestamp.from(date).toString();

/** A schedule with its times and runs. */
export async function detailOf(
  workflows: Workflows,
  found: FoundSchedule,
  declared: Declared | undefined,
  beside: FoundSchedule | undefined,
): Promise<ScheduleDetail> {
  const { info } = found.description;
  const time = (date: Date): ScheduledTime => ({
    at: textOf(date),
    ...(declared ? intervalAt(declared.pipeline, date) : {}),
  });
  const recent = await Promise.all(
    info.recentActions.toReversed().map(async ({ action, scheduledAt, takenAt }): Promise<ScheduledRun> => {
      const { workflowId, firstExecutionRunId: runId } = action.workflow;
      const status = await statusOf(workflows, workflowId, runId);
      return { ...time(scheduledAt), startedAt: textOf(takenAt), workflowId, runId, status };
    }),
  );
  return {
    ...summaryOf(found, declared, beside),
    applied: found.memo?.fields ?? {},
    upcoming: info.nextActionTimes.map(time),
    recent,
    counts: {
      started: info.numActionsTaken,
      skipped: info.numActionsSkippedOverlap,
      missed: info.numActionsMissedCatchupWindow,
    },
  };
}

/** The interval that a run of a scheduled time is for; nothing before the first one. */
function intervalAt(pipeline: PipelineSpec, date: Date): Pick<ScheduledTime, 'interval'> {
  const interval = completeInterval(pipeline.schedule, pipeline, Timestamp.from(date));
  return interval ? { interval } : {};
}

async function statusOf({ temporal }: Workflows, workflowId: string, runId: string): Promise<string> {
  try {
    const { status } = await temporal.workflow.getHandle(workflowId, runId).describe();
    if (status.name !== 'CONTINUED_AS_NEW') return status.name;
    // A run of very many intervals went on as a new one, which bears its workflow's id.
    return (await temporal.workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'GONE';
    throw error;
  }
}
