import { WorkflowNotFoundError } from '@temporalio/client';
import type { PipelineSpec } from '../definitions/contract.js';
import { difference } from '../definitions/diff.js';
import { completeInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { WantedSchedule } from './schedule-spec.js';
import type { FoundSchedule } from './schedule-store.js';
import type { ScheduleDetail, ScheduledRun, ScheduledTime, ScheduleSummary } from './schedule-types.js';
import type { Workflows } from './workflows.js';

/** A schedule in a line; `wanted` is what its definition wants, undefined when it is not declared. */
export function summaryOf(
  { id, description, memo }: FoundSchedule,
  wanted: WantedSchedule | undefined,
): ScheduleSummary {
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
  };
}

/** A pipeline that has no schedule yet. */
export const missingSchedule = ({ id, pipeline, fields }: WantedSchedule): ScheduleSummary => ({
  ...{ id, pipeline, state: 'missing', differs: [] },
  ...{ cron: String(fields['cron']), timezone: String(fields['timezone']) },
});

const textOf = (date: Date): string => Timestamp.from(date).toString();

/** A schedule with its times and runs. */
export async function detailOf(
  workflows: Workflows,
  found: FoundSchedule,
  declared: { readonly pipeline: PipelineSpec; readonly wanted: WantedSchedule } | undefined,
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
  const watched = declared?.pipeline.deadline !== undefined || beside !== undefined;
  return {
    ...summaryOf(found, declared?.wanted),
    applied: found.memo?.fields ?? {},
    upcoming: info.nextActionTimes.map(time),
    recent,
    counts: {
      started: info.numActionsTaken,
      skipped: info.numActionsSkippedOverlap,
      missed: info.numActionsMissedCatchupWindow,
    },
    ...(watched
      ? {
          deadline: {
            id: beside?.id ?? `${found.id}/deadline`,
            state: !beside ? 'missing' : beside.description.state.paused ? 'paused' : 'active',
          },
        }
      : {}),
  };
}

/** The interval that a run of a scheduled time is for; nothing before the first one. */
function intervalAt(pipeline: PipelineSpec, date: Date): Pick<ScheduledTime, 'interval'> {
  const interval = completeInterval(pipeline.schedule, pipeline, Timestamp.from(date));
  return interval ? { interval } : {};
}

async function statusOf({ temporal }: Workflows, workflowId: string, runId: string): Promise<string> {
  try {
    return (await temporal.workflow.getHandle(workflowId, runId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'GONE';
    throw error;
  }
}
