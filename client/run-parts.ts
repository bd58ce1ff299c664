import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { workflowRunId } from '../registry/ownership.js';
import type { RunSummary } from '../registry/run-history.js';

/** Runs that a message names at most. */
const NAMED = 5;

/** Several runs in a message: `<id> (flights_daily, 2001-03-04, COMPLETED), ... and 3 more`. */
export function namedRuns(runs: readonly RunSummary[]): string {
  const some = runs
    .slice(0, NAMED)
    .map((one) => `${one.run} (${one.pipeline ?? one.type}, ${intervalName(one.interval)}, ${one.status})`);
  return `${some.join(', ')}${runs.length > NAMED ? `, and ${runs.length - NAMED} more` : ''}`;
}

/** Whether runs are parts of one workflow run. */
export const areOfOne = ([first, ...others]: readonly RunSummary[]): boolean =>
  first !== undefined && others.every(({ run }) => workflowRunId(run) === workflowRunId(first.run));

/** The error for a workflow run that makes several intervals where one run is meant: each is recorded as a part of it. */
export const severalParts = (asked: string, parts: readonly RunSummary[]): GranaryError =>
  new GranaryError(
    'InvalidInput',
    `The run ${asked} makes several intervals, each a part with an id of its own: ${namedRuns(parts)}. Give one of these ids${parts[0]?.workflowId.startsWith('backfill/') ? `, or see the backfill: granary backfill status ${parts[0].workflowId.split('/').at(-1) ?? ''}` : ''}.`,
  );
