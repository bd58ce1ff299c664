import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { messageOf } from '../definitions/errors.js';
import { runStatusOf } from '../registry/settle.js';
import type { RunStatus } from '../registry/tables.js';
import type { RunResult } from '../workflows/index.js';
import { workflowFailure } from './workflow-failure.js';
import type { Workflows } from './workflows.js';

/** A run that ended before it was planned, so that the registry does not have it: what was asked for was wrong, or nothing was due. */
export interface UnplannedRun {
  readonly run: string;
  readonly workflowId: string;
  readonly type: string;
  readonly status: RunStatus;
  /** What it failed with, in its own words, and its code; undefined where it did not fail. */
  readonly error: string | undefined;
  readonly code: string | undefined;
  /** Sentences of a run that ended well. */
  readonly notes: readonly string[];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly ms: number;
  /** Where Temporal's web interface shows it; undefined where its address is not known. */
  readonly url: string | undefined;
  /** It has none of what a plan says. */
  readonly pipeline?: undefined;
  readonly interval?: undefined;
  readonly plan?: undefined;
  readonly steps: readonly [];
}

/** A run of this project's task queue as Temporal has it, by its run id or its workflow id; undefined when there is none. */
export async function describeRun(
  workflows: Workflows,
  name: string,
): Promise<WorkflowExecutionDescription | undefined> {
  const found = (await described(workflows, name)) ?? (await byRunId(workflows, name));
  // Other projects' workflows may share the namespace.
  return found && (workflows.isOwn(found.workflowId) || found.taskQueue === workflows.taskQueue)
    ? found
    : undefined;
}

async function described({ temporal }: Workflows, workflowId: string, runId?: string) {
  try {
    return await temporal.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

async function byRunId(workflows: Workflows, name: string) {
  if (!RUN_ID.test(name)) return undefined;
  const query = `RunId = '${name.toLowerCase()}'`;
  for await (const { workflowId, runId } of workflows.temporal.workflow.list({ query, pageSize: 1 }))
    return await described(workflows, workflowId, runId);
  return undefined;
}

/** What Temporal knows of a run that has ended. */
export async function unplannedRun(
  workflows: Workflows,
  { workflowId, runId, type, status, startTime, closeTime }: WorkflowExecutionDescription,
): Promise<UnplannedRun> {
  const end = closeTime ?? startTime;
  const ended = await workflows.temporal.workflow
    .getHandle(workflowId, runId, { followRuns: false })
    .result()
    .then(
      (result) => ({ notes: (result as Partial<RunResult> | null)?.notes ?? [] }),
      (failed: unknown) => ({
        notes: [],
        error: messageOf(failed instanceof WorkflowFailedError ? (failed.cause ?? failed) : failed),
        code: workflowFailure(failed)?.code,
      }),
    );
  return {
    ...{ run: runId, workflowId, type, status: runStatusOf(status.name) },
    ...{ error: undefined, code: undefined, ...ended },
    startedAt: startTime.toISOString(),
    endedAt: end.toISOString(),
    ms: end.getTime() - startTime.getTime(),
    url: workflows.url(workflowId, runId),
    steps: [],
  };
}
