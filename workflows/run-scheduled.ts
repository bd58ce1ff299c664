import { ApplicationFailure, CancellationScope, setCurrentDetails } from '@temporalio/workflow';
import type { StepFailure } from '../activities/messages.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import type { PipelineInput } from './input.js';
import { inOwnWords, presentTime } from './own-words.js';
import { resolving } from './profiles.js';
import { runTargets, type RunResult } from './run-targets.js';

/** An interval that was not made. */
interface Failed {
  readonly interval: Interval;
  readonly code: string;
  readonly message: string;
  readonly failures: readonly StepFailure[];
}

/**
 * Runs a pipeline for what is due at a schedule's tick: mostly one interval, as if by hand. Several are parts of this run, one after the other, oldest
 * first; one that fails does not stop the others unless the pipeline depends on its past, and the run fails in the end with all of them.
 */
export async function runScheduled(
  input: Pick<PipelineInput, 'pipeline' | 'targets' | 'rebuild'>,
  tick: Date,
): Promise<RunResult> {
  const { rebuild: _, ...question } = input;
  const due = await inOwnWords(() =>
    resolving.dueIntervals({ ...question, scheduled: tick.toISOString(), clock: presentTime() }),
  );
  const { pipeline, own, intervals = [], inOrder = false, notes = [] } = due;
  if (pipeline === undefined || !own) return await runTargets({ ...input, type: 'pipeline' });
  const request = { ...input, pipeline, type: 'pipeline' } as const;
  const [first, second] = intervals;
  if (!first) {
    setCurrentDetails(notes.join('\n\n'));
    return { pipeline, interval: own, steps: [], notes };
  }
  const told = notes.length === 0 ? {} : { notes };
  if (!second) return { ...(await runTargets({ ...request, from: first.start, to: first.end })), ...told };
  const results: RunResult[] = [];
  const failed: Failed[] = [];
  for (const [index, interval] of intervals.entries()) {
    try {
      const result = await runTargets(
        { ...request, from: interval.start, to: interval.end, part: String(index) },
        {
          publish: (details) =>
            setCurrentDetails(`${headOf(pipeline, intervals, index, failed)}\n\n${details}`),
        },
      );
      results.push(result);
    } catch (error) {
      if (CancellationScope.current().consideredCancelled || !(error instanceof ApplicationFailure))
        throw error;
      failed.push(failedOf(interval, error));
      if (inOrder) break;
    }
  }
  if (failed.length > 0) throw failureOf(pipeline, intervals, results.length, failed);
  const last = results.at(-1);
  return {
    pipeline,
    interval: last?.interval ?? own,
    steps: last?.steps ?? [],
    ...told,
    intervals: results.map(({ interval, steps }) => ({
      interval,
      made: steps.filter(({ outcome }) => outcome === 'made').length,
      current: steps.filter(({ outcome }) => outcome === 'current').length,
    })),
  };
}

/** `user_features_daily: 2 of 5 intervals, of which 1 failed` */
function headOf(
  pipeline: string,
  intervals: readonly Interval[],
  index: number,
  failed: readonly Failed[],
): string {
  const lost =
    failed.length === 0 ? '' : `; failed: ${failed.map((each) => intervalName(each.interval)).join(', ')}`;
  return `**${pipeline}**: interval ${index + 1} of ${intervals.length}${lost}`;
}

function failedOf(interval: Interval, error: ApplicationFailure): Failed {
  const [detail] = (error.details ?? []) as { readonly failures?: readonly StepFailure[] }[];
  const name = `${intervalName(interval)}: `;
  return {
    interval,
    code: error.type ?? 'Internal',
    message: error.message.startsWith(name) ? error.message : `${name}${error.message}`,
    failures: detail?.failures ?? [],
  };
}

/** The run's failure: with the code of the one interval that failed, or of several. */
function failureOf(
  pipeline: string,
  intervals: readonly Interval[],
  made: number,
  failed: readonly Failed[],
): ApplicationFailure {
  const codes = new Set(failed.map(({ code }) => code));
  const [code = 'StepsFailed'] = codes;
  const left = intervals.length - made - failed.length;
  return ApplicationFailure.create({
    type: codes.size === 1 ? code : 'StepsFailed',
    nonRetryable: true,
    message: [
      `Of ${intervals.length} intervals of ${pipeline} ${made} were made, ${failed.length} failed${left > 0 ? `, and ${left} were not begun, because the pipeline depends on its past` : ''}.`,
      ...failed.map(({ message }) => message),
    ].join('\n'),
    details: [
      {
        failures: failed.flatMap(({ failures }) => failures),
        intervals: failed.map(({ interval, code: why, message }) => ({ interval, code: why, message })),
      },
    ],
  });
}
