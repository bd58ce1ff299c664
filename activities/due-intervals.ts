import { dueIntervals } from '../definitions/due-intervals.js';
import type { Interval } from '../definitions/interval.js';
import { plan } from '../definitions/plan.js';
import { lastCompleteInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import { definitionsOf } from '../registry/definitions.js';
import type { DueQuestion, DueRuns } from './messages.js';
import { choosePipeline, refuseOpen, targetIds } from './resolve-request.js';
import type { Runtime } from './runtime.js';

/** Intervals that one run makes, but for those that it goes over in any case: its history stays small, and what is left is due to the next. */
const MOST = 100;

/**
 * What a scheduled run is to make. Its own interval is made by its claims; what may have been missed is asked of the ledger: a day that a schedule did
 * not fire for, or that it fires for twice, is neither lost nor made twice.
 * @throws GranaryError `UnknownResource`; `InvalidInterval` before the first interval has ended, and for a tick that is yet to come.
 */
export async function dueRuns(
  runtime: Pick<Runtime, 'registry' | 'project'>,
  question: DueQuestion,
): Promise<DueRuns> {
  const { registry } = runtime;
  const { scheduled, clock, ...asked } = question;
  await registry.migrate();
  const definitions = await definitionsOf(runtime);
  const request = { ...asked, type: 'pipeline', now: scheduled } as const;
  const pipeline = choosePipeline(definitions, request);
  if (!pipeline) return {};
  const own = lastCompleteInterval(pipeline.schedule, pipeline, Timestamp.from(scheduled));
  // Temporal's own backfill of a schedule takes times to come, too.
  refuseOpen({ ...(clock === undefined ? {} : { clock }), scheduled: true }, own, pipeline);
  const due = dueIntervals(pipeline, scheduled, new Date());
  const unsure = due.filter(({ when }) => when === 'missing').map(({ interval }) => interval);
  const targets = asked.targets === undefined ? pipeline.targets : targetIds(definitions, request);
  const steps = plan(definitions.resources, targets, own).steps.map(({ id }) => id);
  const made = new Set<Interval>(await registry.ledger.complete(steps, unsure, { sinceEnd: true }));
  const wanted = due.filter(({ interval }) => !made.has(interval)).map(({ interval }) => interval);
  const always = due.length - unsure.length;
  // Its own and those of its lookback come last: without them it would never get to its own.
  const most = Math.max(MOST, always);
  const left = wanted.slice(most);
  return {
    pipeline: pipeline.name,
    own,
    intervals: wanted.slice(0, most),
    ...(pipeline.dependsOnPast ? { inOrder: true } : {}),
    notes: [
      ...(wanted.length === 0
        ? [`Nothing was due at ${scheduled}: what it would have made is valid already.`]
        : []),
      ...(left.length > 0
        ? [
            `${wanted.length} intervals were due, and one run makes ${most}: the next runs go on, and granary backfill ${pipeline.name} does it at once.`,
          ]
        : []),
    ],
  };
}
