import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { ApplyEnd, ApplyOutcome, ApplyRef, CheckedApply } from '../activities/messages.js';
import { ALL_TIME } from '../definitions/interval.js';
import type { ApplyInput, PipelineInput } from './input.js';
import { exportFeast } from './export-feast.js';
import { inOwnWords, logicalNow } from './own-words.js';
import { heavy, quick, resolving, waiting } from './profiles.js';
import type { RunResult } from './run-targets.js';

/** Runs of an apply at a time. */
const AT_ONCE = 4;

/** What an apply returns. */
export interface ApplyResult {
  /** Its name: two words. */
  readonly apply: string;
}

/**
 * Applies definitions: registers them (one apply at a time), checks providers and sources, has what is new or failed made by runs of
 * its own, and settles every status.
 */
export async function runApply(
  input: ApplyInput,
  pipeline: (input: PipelineInput) => Promise<RunResult>,
): Promise<ApplyResult> {
  const begun = await inOwnWords(() => resolving.beginApply(input));
  const note = (doing: string): string => {
    setCurrentDetails(`**${begun.apply}**: ${doing}`);
    return `${doing} (${begun.apply})`;
  };
  const runErrors: ApplyEnd['runErrors'][number][] = [];
  const finish = (end: Pick<ApplyEnd, 'status' | 'unfinished' | 'error'>): Promise<ApplyOutcome> =>
    CancellationScope.nonCancellable(() =>
      quick(begun, note('record how it ended')).finishApply({ ...begun, ...end, runErrors }),
    );
  let outcome: ApplyOutcome;
  try {
    await inOwnWords(() => register(begun, note));
    const now = logicalNow();
    const { runs } = await inOwnWords(() =>
      heavy(begun, note('check providers and sources')).checkApply({ ...begun, now }),
    );
    note(`make what is new or failed, in ${runs.length} runs`);
    runErrors.push(...(await runAll(runs, pipeline)));
    await inOwnWords(() => exportFeast(begun));
    outcome = await finish({ status: 'COMPLETED' });
  } catch (error) {
    const cancelled = isCancellation(error);
    const message = error instanceof Error ? error.message : String(error);
    await finish({
      status: cancelled ? 'CANCELLED' : 'FAILED',
      unfinished: cancelled ? 'the apply was cancelled before this was made; apply again' : message,
      error: cancelled ? 'It was cancelled.' : message,
    });
    throw error;
  }
  note(outcome.failed === 0 ? 'completed' : `${outcome.failed} resources failed`);
  if (outcome.failed > 0)
    throw ApplicationFailure.create({
      type: 'StepsFailed',
      nonRetryable: true,
      message: `${begun.apply}: ${outcome.failed} of the resources failed.\n${outcome.errors.join('\n')}`,
    });
  return { apply: begun.apply };
}

/** Registers the definitions, once every apply before is over. */
async function register(begun: ApplyRef, note: (doing: string) => string): Promise<void> {
  for (;;) {
    const result = await quick(begun, note('register the definitions')).registerApply(begun);
    if (result.state === 'registered') return;
    await waiting(begun, note(`wait for ${result.owner.workflowId}: it applies at this moment`)).awaitApply({
      owner: result.owner,
    });
  }
}

/** Runs what is to be made, what pipelines schedule first; resolves to the runs that failed. Throws only when the apply is cancelled. */
async function runAll(
  runs: CheckedApply['runs'],
  pipeline: (input: PipelineInput) => Promise<RunResult>,
): Promise<ApplyEnd['runErrors'][number][]> {
  const errors: ApplyEnd['runErrors'][number][] = [];
  const start = async ({ run, workflowId, pipeline: name, targets }: CheckedApply['runs'][number]) => {
    try {
      await executeChild(pipeline, {
        workflowId,
        args: [
          name === undefined
            ? { targets, from: ALL_TIME.start, to: ALL_TIME.end }
            : { pipeline: name, targets },
        ],
        parentClosePolicy: 'TERMINATE',
        cancellationType: 'WAIT_CANCELLATION_COMPLETED',
        staticSummary: `${name ?? 'unscheduled'}: ${targets.length} targets`,
      });
    } catch (error) {
      // A run that somebody cancelled by itself failed; the others go on.
      if (CancellationScope.current().consideredCancelled) throw error;
      const cause = error instanceof ChildWorkflowFailure ? (error.cause ?? error) : error;
      errors.push({ run, message: cause instanceof Error ? cause.message : String(cause) });
    }
  };
  // What nothing schedules may read what a pipeline makes.
  for (const group of [runs.filter((r) => r.pipeline), runs.filter((r) => !r.pipeline)]) {
    const queue = [...group];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) await start(next);
    };
    // Cancelled: every run has ended before the apply is recorded.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
  return errors;
}
