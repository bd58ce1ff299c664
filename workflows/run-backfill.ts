import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { BackfillOutcome, BegunBackfill } from '../activities/messages.js';
import type { BackfillInterval, BackfillPlan } from '../definitions/backfill.js';
import { intervalName } from '../definitions/interval.js';
import type { BackfillInput } from './input.js';
import { isLong } from './history.js';
import { Line } from './line.js';
import { inOwnWords, logicalNow } from './own-words.js';
import { pauses } from './pauses.js';
import { quick, resolving } from './profiles.js';
import { runTargets } from './run-targets.js';

/** Intervals that are asked for at a time: a small answer. */
const PAGE = 50;

/** What a backfill returns. */
export interface BackfillResult {
  /** Its name: two words. */
  readonly backfill: string;
  readonly pipeline: string;
  readonly completed: number;
  /** Sentences about what it did otherwise than asked. */
  readonly notes: readonly string[];
}

/**
 * Makes intervals of a pipeline, some at a time, each a part of this run. What it makes, and how far it is, lies in the registry; the run goes on
 * as a new one, by `renew`, before its history grows large, once no part is in flight.
 */
export async function runBackfill(
  input: BackfillInput,
  renew: (input: BackfillInput) => Promise<never>,
): Promise<BackfillResult> {
  const pause = pauses();
  const begun = await inOwnWords(() => resolving.beginBackfill({ ...input, now: logicalNow() }));
  const { name } = begun;
  pause.begin(begun);
  let plan: BackfillPlan;
  let ended: Ended;
  try {
    plan = begun.plan ?? (await inOwnWords(() => planned(begun, input)));
    ended = await makeIntervals(begun, plan, pause);
    await condition(allHandlersFinished);
  } catch (error) {
    await CancellationScope.nonCancellable(async () => {
      await condition(allHandlersFinished);
      await finish(begun, isCancellation(error) ? 'CANCELLED' : 'FAILED', messageOf(error));
    });
    throw error;
  }
  // The registry has the rest.
  if (ended === 'renew') return await renew({ ...input, name });
  const outcome = await finish(
    begun,
    ended === 'stopped' ? 'FAILED' : 'COMPLETED',
    ended === 'stopped' ? stoppedText(plan) : undefined,
  );
  setCurrentDetails(`**${plan.pipeline}** (${name}): ${countsText(outcome)}`);
  if (outcome.failed > 0) throw failureOf(name, plan, outcome);
  return { backfill: name, pipeline: plan.pipeline, completed: outcome.completed, notes: plan.notes };
}

/** `all`: every interval has been made or failed; `stopped`: too many failed; `renew`: it goes on as a new run. */
type Ended = 'all' | 'stopped' | 'renew';

/** Makes the intervals that are left, `concurrency` at a time. Rejects, once none is in flight, when it is cancelled. */
async function makeIntervals(
  begun: BegunBackfill,
  plan: BackfillPlan,
  pause: ReturnType<typeof pauses>,
): Promise<Ended> {
  const { name } = begun;
  let { completed, failed } = begun;
  const inFlight = new Set<string>();
  const line = new Line();
  const show = (): void =>
    setCurrentDetails(
      [
        `**${plan.pipeline}** (${name}): ${completed} of ${plan.selected} intervals made, ${failed} failed${pause.by() === undefined ? '' : `; paused by ${pause.by() ?? ''}`}`,
        '',
        ...[...inFlight].map((each) => `- ${each}`),
        ...plan.notes.flatMap((text) => ['', text]),
      ].join('\n'),
    );
  const page: BackfillInterval[] = [];
  let after = -1;
  let fetching: Promise<void> | undefined;
  let isLast = false;
  let broken = false;
  const fetch = async (): Promise<void> => {
    const next = await inOwnWords(() =>
      quick(begun, `the next intervals of ${plan.pipeline}`).nextIntervals({ name, after, limit: PAGE }),
    );
    page.push(...next);
    after = next.at(-1)?.position ?? after;
    isLast = next.length < PAGE;
    fetching = undefined;
  };
  const isStopped = (): boolean => plan.maxFailures !== undefined && failed >= plan.maxFailures;
  const take = async (): Promise<BackfillInterval | undefined> => {
    for (;;) {
      await condition(() => pause.by() === undefined);
      if (broken || isStopped() || isLong()) return undefined;
      const next = page.shift();
      if (next || isLast) return next;
      await (fetching ??= fetch());
    }
  };
  const make = async ({ position, interval }: BackfillInterval): Promise<void> => {
    const label = intervalName(interval);
    const part = line.enter(position);
    inFlight.add(label);
    show();
    try {
      await runTargets(
        {
          type: 'pipeline',
          pipeline: plan.pipeline,
          ...(plan.targets === undefined ? {} : { targets: plan.targets }),
          from: interval.start,
          to: interval.end,
          ...(plan.reprocess === 'all' ? { rebuild: true } : {}),
          part: String(position),
          backfill: name,
        },
        {
          // This run's details are the backfill's.
          publish: () => undefined,
          before: (step) => line.before(part, step),
          ended: ({ id }) => void part.ended.add(id),
        },
      );
      completed += 1;
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      await quick(begun, `record that ${label} failed`).failInterval({
        name,
        position,
        error: messageOf(error),
      });
      failed += 1;
    } finally {
      line.leave(part);
      inFlight.delete(label);
      show();
    }
  };
  const lane = async (): Promise<void> => {
    try {
      for (let next = await take(); next; next = await take()) await make(next);
    } catch (error) {
      broken = true;
      throw error;
    }
  };
  show();
  // Every part has ended, whatever becomes of one.
  const lanes = await Promise.allSettled(Array.from({ length: plan.concurrency }, lane));
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
  // The last of the failures that it takes may be that of its last interval.
  if (isLast && page.length === 0) return 'all';
  return isStopped() ? 'stopped' : 'renew';
}

const planned = (begun: BegunBackfill, input: BackfillInput): Promise<BackfillPlan> =>
  quick(begun, 'plan').planBackfill({ name: begun.name, request: input, now: logicalNow() });

async function finish(
  begun: BegunBackfill,
  status: 'COMPLETED' | 'FAILED' | 'CANCELLED',
  error?: string,
): Promise<BackfillOutcome> {
  return await CancellationScope.nonCancellable(() =>
    quick(begun, `record ${status}`).finishBackfill({
      name: begun.name,
      heartbeatTimeout: begun.heartbeatTimeout,
      priority: begun.priority,
      status,
      ...(error === undefined ? {} : { error }),
    }),
  );
}

const stoppedText = ({ maxFailures = 1 }: BackfillPlan): string =>
  `It stopped after ${maxFailures} failed ${maxFailures === 1 ? 'interval' : 'intervals'}.`;

const countsText = ({ completed, failed, left }: BackfillOutcome): string =>
  `${completed} intervals made, ${failed} failed${left === 0 ? '' : `, ${left} left`}`;

function failureOf(name: string, plan: BackfillPlan, outcome: BackfillOutcome): ApplicationFailure {
  const { completed, failed, left, causes } = outcome;
  const head = `${name}: ${failed} of the ${plan.selected} intervals of ${plan.pipeline} failed, ${completed} were made${left === 0 ? '' : `, and ${left} are left: ${stoppedText(plan)}`}`;
  return ApplicationFailure.create({
    type: 'IntervalsFailed',
    nonRetryable: true,
    message: [
      `${head}${left === 0 ? '.' : ''}`,
      ...causes.map(({ interval, error }) => withName(intervalName(interval), error)),
      ...(failed > causes.length
        ? [`and ${failed - causes.length} more: granary backfill status ${name}`]
        : []),
    ].join('\n'),
    details: [{ backfill: name, completed, failed, left, causes }],
  });
}

/** A run's failure begins with its interval's name already. */
const withName = (label: string, error: string): string =>
  error.startsWith(`${label}: `) ? error : `${label}: ${error}`;

const messageOf = (error: unknown): string =>
  isCancellation(error) ? 'It was cancelled.' : error instanceof Error ? error.message : String(error);
