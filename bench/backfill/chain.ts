import type { Client } from '@temporalio/client';

/** One run of a workflow that goes on as new ones. */
export interface ChainedRun {
  readonly runId: string;
  readonly events: number;
  /** As the server counts them. */
  readonly bytes: number;
  readonly workflowTasks: number;
}

/** The runs of a workflow, the first one first. */
export async function chainOf(client: Client, workflowId: string): Promise<ChainedRun[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const runs: ChainedRun[] = [];
  let runId = raw.workflowExecutionInfo?.firstRunId ?? undefined;
  while (runId) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const [{ historySize }, { events }] = await Promise.all([handle.describe(), handle.fetchHistory()]);
    const all = events ?? [];
    runs.push({
      runId,
      events: all.length,
      bytes: historySize ?? 0,
      workflowTasks: all.filter((event) => event.workflowTaskCompletedEventAttributes).length,
    });
    runId = all.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}
