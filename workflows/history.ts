import { workflowInfo } from '@temporalio/workflow';

/** A run goes on as a new one from here on: Temporal warns from 10,240 events or 10 MiB, and ends a run at five times that. */
const MOST_EVENTS = 4000;
const MOST_BYTES = 4 * 2 ** 20;

/** Whether a run's history has grown so long that what is left is better made by a new run. */
export function isLong(): boolean {
  const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS || historySize > MOST_BYTES;
}
