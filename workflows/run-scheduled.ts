import { ApplicationFailure, CancellationScope, patched, setCurrentDetails } from '@temporalio/workflow';
import type { StepFailure } from '../activities/messages.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import { isLong } from './history.js';
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

/** What a run of several intervals hands on to the one that it goes on as. */
export interface ScheduledRest {
  readonly pipeline: string;
  /** All of them, oldest first; those before `next` have been made or have failed. */
  readonly intervals: readonly Interval[];
  readonly next: number;
  readonly made: NonNullable<RunResult['intervals']>;
  readonly failed: readonly Failed[];
  readonly inOrder: boolean;
  readonly notes: readonly string[];
}

type Input = Pick<PipelineInput, 'pipeline' | 'targets' | 'rebuild'>;
type Renew = (rest: ScheduledRest) => Promise<never>;

/**
 * Runs a pipeline for what is due at a schedule's tick: mostly one interval, as if by hand. Several are parts of this run, one after the other, oldest
 * first; one that fails does not stop the others unless the pipeline depends on its past, and the run fails in the end with all of them. It goes on as
 * a new one, by `renew`, before its history grows large.
 */
export async function runScheduled(input: Input, tick: Date, renew: Renew): Promise<RunResult> {
  const { rebuild: _, ...question } = input;
  const due = await inOwnWords(() =>
    resolving.dueIntervals({ ...question, scheduled: tick.toISOString(), clock: presentTime() }),
  );
  const { pipeline, own, intervals = [], inOrder = false, notes = [] } = due;
  if (pipeline === undefined || !own) return await runTargets({ ...input, type: 'pipeline' });
  const [first, second] = intervals;
  if (!first) {
    setCurrentDetails(notes.join('\n\n'));
    return { pipeline, interval: own, steps: [], notes };
  }
  const told = notes.length === 0 ? {} : { notes };
  const request = { ...input, pipeline, type: 'pipeline', from: first.start, to: first.end } as const;
  if (!second) return { ...(await runTargets(request)), ...told };
  return await runParts(input, { pipeline, intervals, next: 0, made: [], failed: [], inOrder, notes }, renew);
}

/** Makes what is left of several intervals. */
export async function runParts(input: Input, rest: ScheduledRest, renew: Renew): Promise<RunResult> {
  const { pipeline, intervals, inOrder, notes } = rest;
  const made = [...rest.made];
  const failed = [...rest.failed];
  let last: RunResult | undefined;
  for (const [index, interval] of intervals.entries()) {
    if (index < rest.next) continue;
    // Runs that grew long before there was this question have no answer to it in their histories. What is cancelled does not go on.
    if (
      index > rest.next &&
      isLong() &&
      !CancellationScope.current().consideredCancelled &&
      patched('scheduled-renewal')
    )
      return await renew({ ...rest, next: index, made, failed });
    try {
      last = await runTargets(
        {
          ...{ ...input, pipeline, type: 'pipeline' },
          ...{ from: interval.start, to: interval.end, part: String(index) },
        },
        {
          publish: (details) =>
            setCurrentDetails(`${headOf(pipeline, intervals, index, failed)}\n\n${details}`),
        },
      );
      made.push(countsOf(last));
    } catch (error) {
      if (CancellationScope.current().consideredCancelled || !(error instanceof ApplicationFailure))
        throw error;
      failed.push(failedOf(interval, error));
      if (inOrder) break;
    }
  }
  if (failed.length > 0 || !last) throw failureOf(pipeline, intervals, made.length, failed);
  const { interval, steps } = last;
  return { pipeline, interval, steps, ...(notes.length === 0 ? {} : { notes }), intervals: made };
}

const countsOf = ({ interval, steps }: RunResult): ScheduledRest['made'][number] => ({
  interval,
  made: steps.filter(({ outcome }) => outcome === 'made').length,
  current: steps.filter(({ outcome }) => outcome === 'current').length,
});

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
