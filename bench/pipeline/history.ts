import type { Client } from '@temporalio/client';
import type { Span } from './spans.js';

/** One run as the server tells of it; times are the server's. */
export interface RunHistory extends Span {
  readonly events: number;
  /** Size of the history as the server counts it. */
  readonly bytes: number;
  readonly workflowTasks: readonly {
    /** From its scheduling to its start: the server hands it to a worker. */
    readonly queued: Span;
    /** From its start to its completion: workflow code, local activities, and the answer. */
    readonly worked: Span;
  }[];
  /** Activity id -> from the scheduling of the workflow task that asked for it to its recorded end. Local ones leave no such events. */
  readonly activities: ReadonlyMap<string, Span>;
}

/** Reads a closed run's history. */
export async function readHistory(
  client: Client,
  run: { readonly workflowId: string; readonly runId: string },
): Promise<RunHistory> {
  const handle = client.workflow.getHandle(run.workflowId, run.runId);
  const [{ historySize }, { events }] = await Promise.all([handle.describe(), handle.fetchHistory()]);
  const all = events ?? [];
  const times = new Map(all.map((event) => [Number(event.eventId), millis(event.eventTime)]));
  const at = (id: unknown): number => times.get(Number(id)) ?? NaN;
  const tasks = new Map<number, RunHistory['workflowTasks'][number]>();
  const activities = new Map<string, Span>();
  const scheduled = new Map<number, { readonly activityId: string; readonly from: number }>();
  for (const event of all) {
    const task = event.workflowTaskCompletedEventAttributes;
    if (task)
      tasks.set(Number(event.eventId), {
        queued: { from: at(task.scheduledEventId), to: at(task.startedEventId) },
        worked: { from: at(task.startedEventId), to: at(event.eventId) },
      });
    const activity = event.activityTaskScheduledEventAttributes;
    if (activity)
      scheduled.set(Number(event.eventId), {
        activityId: activity.activityId ?? '',
        from: tasks.get(Number(activity.workflowTaskCompletedEventId))?.queued.from ?? at(event.eventId),
      });
    const ended = scheduled.get(Number(event.activityTaskCompletedEventAttributes?.scheduledEventId));
    if (ended) activities.set(ended.activityId, { from: ended.from, to: at(event.eventId) });
  }
  return {
    from: at(all[0]?.eventId),
    to: at(all.at(-1)?.eventId),
    events: all.length,
    bytes: historySize ?? 0,
    workflowTasks: [...tasks.values()],
    activities,
  };
}

const millis = (
  time: { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined,
): number => Number(time?.seconds ?? NaN) * 1000 + (time?.nanos ?? 0) / 1e6;
