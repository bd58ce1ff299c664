import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { ResolvedRun, RunRequest, StepFailure, StepResult } from '../activities/messages.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import type { PlanStep } from '../definitions/plan.js';
import { inOwnWords, logicalNow } from './own-words.js';
import { watchLoads, type LoadWatch } from './loads.js';
import { progress } from './progress.js';
import { quick, resolving } from './profiles.js';
import { runStep } from './run-step.js';

/** What a run returns: small, and readable next to its input in Temporal's UI. */
export interface RunResult {
  readonly pipeline?: string;
  readonly interval: Interval;
  readonly steps: readonly StepResult[];
  /** Sentences about what the run left out, and why. */
  readonly notes?: readonly string[];
}

/** What surrounds one of several intervals that a workflow run makes. */
export interface Surroundings {
  /** Takes the part's details, as Markdown. Default: they are the workflow's. */
  readonly publish?: (markdown: string) => void;
}

/**
 * Resolves a request, runs its steps in dependency order (independent ones side by side), and records how it ended. A request with a `part` is one
 * of several that a workflow run makes; each has a row of its own among the runs.
 */
export async function runTargets(
  request: Omit<RunRequest, 'now'>,
  { publish = setCurrentDetails }: Surroundings = {},
): Promise<RunResult> {
  const resolved = await inOwnWords(() => resolving.resolveRun({ ...request, now: logicalNow() }));
  const { plan } = resolved;
  const show = progress(resolved, publish);
  const watch = watchLoads(resolved);
  const results: StepResult[] = [];
  const failures: StepFailure[] = [];
  const finish = async (status: 'COMPLETED' | 'FAILED' | 'CANCELLED'): Promise<void> => {
    await CancellationScope.nonCancellable(() =>
      quick(resolved, `record ${status}`).finishRun({
        run: resolved.run,
        status,
        completed: results.map((r) => r.step),
        failures,
      }),
    );
  };
  try {
    await runSteps(resolved, { show, watch }, results, failures);
  } catch (error) {
    await finish('CANCELLED');
    throw error;
  }
  if (failures.length > 0) {
    await finish('FAILED');
    // What was not run because of another step is no cause of its own.
    const [cause, another] = failures.filter(({ code }) => code !== 'UpstreamFailed');
    throw ApplicationFailure.create({
      type: another ? 'StepsFailed' : (cause?.code ?? 'StepsFailed'),
      nonRetryable: true,
      message: `${intervalName(plan.interval)}: ${failures.map(({ step, message }) => `${step}: ${message}`).join('\n')}`,
      details: [{ failures }],
    });
  }
  await finish('COMPLETED');
  return {
    ...(resolved.pipeline === undefined ? {} : { pipeline: resolved.pipeline }),
    interval: plan.interval,
    steps: results,
    ...(resolved.notes === undefined ? {} : { notes: resolved.notes }),
  };
}

/** Runs every step once what it depends on has succeeded. Throws only when the run is cancelled. */
async function runSteps(
  { plan, ...resolved }: ResolvedRun,
  { show, watch }: { readonly show: ReturnType<typeof progress>; readonly watch: LoadWatch },
  results: StepResult[],
  failures: StepFailure[],
): Promise<void> {
  const done = new Map<string, Promise<boolean>>();
  const start = async (step: PlanStep): Promise<boolean> => {
    const upstream = await Promise.all(
      step.dependsOn.map(async (id) => ({ id, ok: (await done.get(id)) ?? false })),
    );
    const broken = upstream.filter(({ ok }) => !ok).map(({ id }) => id);
    if (broken.length > 0) {
      failures.push({
        step: step.id,
        code: 'UpstreamFailed',
        message: `not run, because ${broken.join(' and ')} failed`,
      });
      show.failed(step.id, 'not run: a step before it failed');
      return false;
    }
    try {
      const result = await runStep({ plan, ...resolved }, step, (doing) => show.doing(step.id, doing), watch);
      results.push(result);
      watch.done(step.id, result);
      show.done(step.id, result);
      return true;
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = failureOf(step, error);
      failures.push(failure);
      watch.failed(step.id);
      show.failed(step.id, failure.message);
      return false;
    }
  };
  for (const step of plan.steps) {
    const outcome = start(step);
    // A rejection (cancellation) is taken up below; until then it must not count as unhandled.
    outcome.catch(() => undefined);
    done.set(step.id, outcome);
  }
  const outcomes = await Promise.allSettled(done.values());
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function failureOf(step: PlanStep, error: unknown): StepFailure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure)
    return { step: step.id, code: cause.type ?? 'Internal', message: cause.message };
  return { step: step.id, code: 'Internal', message: cause instanceof Error ? cause.message : String(cause) };
}
