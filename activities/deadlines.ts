import { Context, log } from '@temporalio/activity';
import type { PipelineSpec, Resource } from '../definitions/contract.js';
import type { Deadline } from '../definitions/deadline.js';
import { GranaryError } from '../definitions/errors.js';
import {
  durationMicros,
  intervalName,
  isAllTime,
  isAsOf,
  isBefore,
  type Interval,
} from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { plan, type Plan } from '../definitions/plan.js';
import { Timestamp } from '../definitions/timestamp.js';
import { intervalOfTick, unwatchedIntervals } from '../definitions/watched-intervals.js';
import { definitionsOf } from '../registry/definitions.js';
import type {
  DeadlineCheck,
  Due,
  DueAt,
  MissedDeadline,
  ResolvedRun,
  RunRequest,
  WatchedDeadline,
  WatchRequest,
} from './messages.js';
import type { Runtime } from './runtime.js';

/**
 * When a run and its steps must be done. The run of a schedule's tick has its deadlines, however late it begins, unless what is due was valid in time;
 * every other run, those of them that lie ahead of it. A backfill has none. The pipeline's own is that of a run of all its targets.
 */
export async function deadlinesOf(
  { registry }: Pick<Runtime, 'registry'>,
  resources: ReadonlyMap<string, Resource>,
  pipeline: PipelineSpec | undefined,
  { interval, steps }: Plan,
  request: RunRequest,
): Promise<Pick<ResolvedRun, 'deadline' | 'stepDeadlines'>> {
  const { began, backfill, type, targets } = request;
  if (!pipeline || began === undefined || backfill || isAllTime(interval) || isAsOf(interval)) return {};
  const isOfTick = request.scheduled === true && intervalOfTick(pipeline, request.now)?.end === interval.end;
  const holds = async (due: DueAt, of: readonly string[], within: Interval): Promise<boolean> => {
    if (!isOfTick && !isBefore(began, due.at)) return false;
    if (Date.parse(due.at) > Date.now()) return true;
    return (await registry.ledger.lacking(of, within, due.at)).length > 0;
  };
  const dueBy = async (
    deadline: Deadline | undefined,
    of: readonly string[],
    within: Interval,
  ): Promise<Due | undefined> => {
    const { warn, cancel } = deadline === undefined ? ({} as Due) : dueOf(deadline, within.end);
    const due: Due = {
      ...(warn && (await holds(warn, of, within)) ? { warn } : {}),
      ...(cancel && (await holds(cancel, of, within)) ? { cancel } : {}),
    };
    return due.warn || due.cancel ? due : undefined;
  };
  const isWhole = type === 'pipeline' && targets === undefined;
  const ids = steps.map(({ id }) => id);
  const deadline = isWhole ? await dueBy(pipeline.deadline, ids, interval) : undefined;
  const stepDeadlines: Record<string, Due> = {};
  for (const step of steps) {
    const due = await dueBy(resources.get(step.id)?.deadline, [step.id], step.interval ?? interval);
    if (due) stepDeadlines[step.id] = due;
  }
  return {
    ...(deadline ? { deadline } : {}),
    ...(Object.keys(stepDeadlines).length > 0 ? { stepDeadlines } : {}),
  };
}

/** A deadline's instants for an interval that ends at `end`. */
function dueOf({ warn, cancel }: Deadline, end: string): Due {
  const at = (after: string): DueAt => ({
    at: Timestamp.from(end).plus(durationMicros(after)).toString(),
    after,
  });
  return {
    ...(warn === undefined ? {} : { warn: at(warn) }),
    ...(cancel === undefined ? {} : { cancel: at(cancel) }),
  };
}

/**
 * Records a missed deadline and tells of it: a line of the log and a metric. Once, whoever notices it first. A step that was cancelled is nobody's to
 * wait for from then on, and what is left of its attempts can commit no more.
 */
export async function raiseDeadline(
  { registry }: Pick<Runtime, 'registry'>,
  { kind, pipeline, interval, step, due, run, message }: MissedDeadline,
): Promise<boolean> {
  if (kind === 'exceeded' && step !== undefined && run) {
    await registry.ownership.nextToken({ target: step, interval }, run).catch((error: unknown) => {
      // It did not come to own its interval.
      if (!(error instanceof GranaryError)) throw error;
    });
    await registry.runs.setStep(run.id, step, 'FAILED');
  }
  const isFirst = await registry.events.raise({
    ...{ kind, pipeline, interval, message },
    deadline: due.at,
    ...(step === undefined ? {} : { step }),
    ...(run === undefined ? {} : { run: run.id }),
  });
  if (!isFirst) return false;
  log.warn(message, { pipeline, deadline: due.at, kind, ...(step === undefined ? {} : { step }) });
  Context.current()
    .metricMeter.createCounter('granary_deadlines_total', '1', 'Deadlines that were missed')
    .add(1, { pipeline, kind });
  return true;
}

/**
 * What the workflow `deadline` is to watch: the interval that ends at a tick, and those before it that ended where clocks were changed and no watcher
 * may have been started; and when they must be valid.
 * @throws GranaryError `UnknownResource`.
 */
export async function resolveDeadline(
  runtime: Runtime,
  { pipeline: name, now }: WatchRequest,
): Promise<WatchedDeadline> {
  await runtime.registry.migrate();
  const pipeline = await pipelineOf(runtime, name);
  const { heartbeatTimeout } = runtime;
  const { deadline } = pipeline;
  if (!deadline) return { heartbeatTimeout };
  const watched = (interval: Interval): { readonly interval: Interval; readonly due: Due } => ({
    interval,
    due: dueOf(deadline, interval.end),
  });
  const own = intervalOfTick(pipeline, now);
  const others = unwatchedIntervals(pipeline, now).map(watched);
  if (!own && others.length === 0) return { heartbeatTimeout };
  return {
    heartbeatTimeout,
    ...(own ? watched(own) : {}),
    ...(others.length > 0 ? { others } : {}),
    ...((await runtime.searchAttributes.known()) ? { searchAttributes: true } : {}),
  };
}

async function pipelineOf(runtime: Runtime, name: string): Promise<PipelineSpec> {
  const { pipelines } = await definitionsOf(runtime);
  const found = pipelines.get(name);
  if (found) return found;
  throw new GranaryError(
    'UnknownResource',
    `There is no pipeline "${name}". ${didYouMean(name, pipelines.keys())} If it was taken away, delete its schedules: granary schedule apply --prune.`,
  );
}

/** Asks the registry whether an interval was valid at an instant, and raises its deadline where it was not. */
export async function checkDeadline(
  runtime: Runtime,
  { pipeline: name, interval, kind, due }: DeadlineCheck,
): Promise<{ readonly missed: boolean }> {
  const { registry } = runtime;
  const { resources } = await definitionsOf(runtime);
  const { targets } = await pipelineOf(runtime, name);
  const steps = plan(resources, targets, interval).steps.map(({ id }) => id);
  const lacking = await registry.ledger.lacking(steps, interval, due.at);
  if (lacking.length === 0) return { missed: false };
  const run = await registry.runs.lastOf(name, interval);
  const state =
    run === undefined
      ? 'No run of it has begun: is its schedule paused (granary schedule list), is a worker there?'
      : run.endedAt === undefined
        ? `Its run ${run.workflowId} is under way.`
        : `Its last run, ${run.workflowId}, ended ${run.status}.`;
  await raiseDeadline(runtime, {
    ...{ kind, pipeline: name, interval, due },
    ...(run === undefined ? {} : { run: { id: run.id, workflowId: run.workflowId } }),
    message: `The pipeline ${name} missed its deadline for ${intervalName(interval)}: it was due at ${due.at}, ${due.after} after the interval's end, and ${lacking.join(', ')} ${lacking.length === 1 ? 'was' : 'were'} not valid. ${state}`,
  });
  return { missed: true };
}
