import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { MissedDeadline } from '../activities/messages.js';
import type { Interval } from '../definitions/interval.js';

const PIPELINE = defineSearchAttributeKey('GranaryPipeline', 'KEYWORD');
const INTERVAL_END = defineSearchAttributeKey('GranaryIntervalEnd', 'DATETIME');
const DEADLINE = defineSearchAttributeKey('GranaryDeadline', 'KEYWORD');

/** Whether an activity found the attributes on the server: setting one that is not there would hold the run up. */
interface Known {
  readonly searchAttributes?: boolean;
}

/** Makes a run findable by its pipeline and interval, where the server has the attributes. */
export function tellRun({ searchAttributes }: Known, pipeline: string | undefined, { end }: Interval): void {
  if (searchAttributes && pipeline !== undefined)
    upsertSearchAttributes([
      { key: PIPELINE, value: pipeline },
      { key: INTERVAL_END, value: new Date(end) },
    ]);
}

/** Marks a run that missed a deadline; a run that was cancelled is no longer only warned. */
export function tellDeadline({ searchAttributes }: Known, kind: MissedDeadline['kind']): void {
  if (searchAttributes && workflowInfo().typedSearchAttributes.get(DEADLINE) !== 'exceeded')
    upsertSearchAttributes([{ key: DEADLINE, value: kind }]);
}
