import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { ResolvedRun, RunRequest, StepFailure, StepResult } from '../activities/messages.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import type { PlanStep } from '../definitions/plan.js';
import { cancelledRun, lateRun, lateStep, raise, type Tally } from './deadlines.js';
import { inOwnWords, isScheduled, logicalNow, presentTime } from './own-words.js';
import { watchLoads, type LoadWatch } from './loads.js';
import { progress } from './progress.js';
import { quick, resolving } from './profiles.js';
import { runStep } from './run-step.js';
import { tellRun } from './search-attributes.js';
import { within, type Within } from './within.js';

/** What a run returns: small, and readable next to its input in Temporal's UI. */
export interface RunResult {
  readonly pipeline?: string;
  readonly interval: Interval;
  readonly steps: readonly StepResult[];
  /** Sentences about what the run left out, and why. */
  readonly notes?: readonly string[];
  /** Of a scheduled run that went over several: all of them, oldest first, with how many steps were made and how many were valid. */
  readonly intervals?: readonly {
    readonly interval: Interval;
    readonly made: number;
    readonly current: number;
  }[];
}

/** What surrounds one of several intervals that a workflow run makes. */
export interface Surroundings {
  /** Takes the part's details, as Markdown. Default: they are the workflow's. */
  readonly publish?: (markdown: string) => void;
  /** Awaited before a step that reads versions of intervals before its own. */
  readonly before?: (step: PlanStep) => Promise<void>;
  /** Told of each step that has ended, well or badly. */
  readonly ended?: (step: PlanStep) => void;
}

/**
 * Resolves a request, runs its steps in dependency order (independent ones side by side), and records how it ended. A request with a `part` is one
 * of several that a workflow run makes; each has a row of its own among the runs.
 */
export async function runTargets(
  request: Omit<RunRequest, 'now'>,
  { publish = setCurrentDetails, ...around }: Surroundings = {},
): Promise<RunResult> {
  const info = workflowInfo();
  const scheduled = isScheduled();
  const resolved = await inOwnWords(() =>
    resolving.resolveRun({
      ...request,
      now: logicalNow(),
      began: info.startTime.toISOString(),
      clock: presentTime(),
      ...(scheduled ? { scheduled } : {}),
    }),
  );
  const { plan, pipeline, deadline: due } = resolved;
  tellRun(resolved, pipeline, plan.interval);
  const show = progress(resolved, publish);
  const tally: Tally = { results: [], failures: [], begun: new Set() };
  const { results, failures } = tally;
  const finish = async (
    status: 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'DEADLINE_EXCEEDED',
    error?: string,
  ): Promise<void> => {
    await CancellationScope.nonCancellable(() =>
      quick(resolved, `record ${status}`).finishRun({
        run: resolved.run,
        status,
        completed: results.map((r) => r.step),
        failures,
        ...(error === undefined ? {} : { error }),
      }),
    );
  };
  const watch = watchLoads(resolved);
  let end: Within<void>;
  try {
    end = await within(
      due,
      () => runSteps(resolved, { show, watch, ...around }, tally),
      (passed) => raise(resolved, 'warned', passed, lateRun(resolved, passed, tally)),
    );
  } catch (error) {
    await finish('CANCELLED');
    throw error;
  }
  if (end.exceeded && due?.cancel) {
    const { cancel } = due;
    const message = cancelledRun(resolved, cancel, tally);
    await finish('DEADLINE_EXCEEDED', message);
    await CancellationScope.nonCancellable(() => raise(resolved, 'exceeded', cancel, message));
    throw ApplicationFailure.create({ type: 'DeadlineExceeded', nonRetryable: true, message });
  }
  if (failures.length > 0) {
    // What was not run because of another step is no cause of its own.
    const causes = new Set(failures.filter(({ code }) => code !== 'UpstreamFailed').map(({ code }) => code));
    const [cause, another] = failures.filter(({ code }) => code !== 'UpstreamFailed');
    const isLate = causes.size === 1 && causes.has('DeadlineExceeded');
    await finish(isLate ? 'DEADLINE_EXCEEDED' : 'FAILED');
    throw ApplicationFailure.create({
      type: another && !isLate ? 'StepsFailed' : (cause?.code ?? 'StepsFailed'),
      nonRetryable: true,
      message: `${intervalName(plan.interval)}: ${failures.map(({ step, message }) => `${step}: ${message}`).join('\n')}`,
      details: [{ failures }],
    });
  }
  await finish('COMPLETED');
  return {
    ...(pipeline === undefined ? {} : { pipeline }),
    interval: plan.interval,
    steps: results,
    ...(resolved.notes === undefined ? {} : { notes: resolved.notes }),
  };
}

interface Shown {
  readonly show: ReturnType<typeof progress>;
  readonly watch: LoadWatch;
}

/** Runs every step once what it depends on has succeeded. Throws only when the run is cancelled. */
async function runSteps(
  resolved: ResolvedRun,
  { show, watch, before, ended }: Shown & Surroundings,
  { results, failures, begun }: Tally,
): Promise<void> {
  const done = new Map<string, Promise<boolean>>();
  const fail = (failure: StepFailure, shown = failure.message): false => {
    failures.push(failure);
    watch.failed(failure.step);
    show.failed(failure.step, shown);
    return false;
  };
  const make = async (step: PlanStep): Promise<boolean> => {
    const upstream = await beforeCancellation(
      Promise.all(step.dependsOn.map(async (id) => ({ id, ok: (await done.get(id)) ?? false }))),
    );
    const broken = upstream.filter(({ ok }) => !ok).map(({ id }) => id);
    if (broken.length > 0)
      return fail(
        {
          step: step.id,
          code: 'UpstreamFailed',
          message: `not run, because ${broken.join(' and ')} failed`,
        },
        'not run: a step before it failed',
      );
    begun.add(step.id);
    try {
      if (before && resolved.readsBefore?.includes(step.id)) await before(step);
      const result = await runStep(resolved, step, (doing) => show.doing(step.id, doing), watch);
      results.push(result);
      watch.done(step.id, result);
      show.done(step.id, result);
      return true;
    } catch (error) {
      // An activity that was lost with its worker while it was cancelled fails otherwise.
      if (isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      return fail(failureOf(step, error));
    }
  };
  const start = async (step: PlanStep): Promise<boolean> => {
    const due = resolved.stepDeadlines?.[step.id];
    const end = await within(
      due,
      () => make(step),
      (passed) => raise(resolved, 'warned', passed, lateStep(resolved, step, passed, 'late'), step),
    );
    if (!end.exceeded || !due?.cancel) return end.exceeded ? false : end.value;
    const { cancel } = due;
    const message = lateStep(resolved, step, cancel, begun.has(step.id) ? 'cancelled' : 'not begun');
    fail({ step: step.id, code: 'DeadlineExceeded', message });
    await CancellationScope.nonCancellable(() => raise(resolved, 'exceeded', cancel, message, step));
    return false;
  };
  for (const step of resolved.plan.steps) {
    const outcome = ended ? start(step).finally(() => ended(step)) : start(step);
    // A rejection (cancellation) is taken up below; until then it must not count as unhandled.
    outcome.catch(() => undefined);
    done.set(step.id, outcome);
  }
  const outcomes = await Promise.allSettled(done.values());
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Waits for what is not cancelled with this scope. */
const beforeCancellation = async <T>(work: Promise<T>): Promise<T> =>
  await Promise.race([work, CancellationScope.current().cancelRequested]);

function failureOf(step: PlanStep, error: unknown): StepFailure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure)
    return { step: step.id, code: cause.type ?? 'Internal', message: cause.message };
  return { step: step.id, code: 'Internal', message: cause instanceof Error ? cause.message : String(cause) };
}
