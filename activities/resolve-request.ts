import { isKind, type PipelineSpec } from '../definitions/contract.js';
import { requireEnded } from '../definitions/ended-intervals.js';
import { GranaryError } from '../definitions/errors.js';
import { ALL_TIME, asOfInterval, interval, isAllTime, type Interval } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { pipelinesMaking } from '../definitions/plan.js';
import { targetIdsOf } from '../definitions/target.js';
import { intervalOfDate, intervalOfRange, lastCompleteInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import { onlineStoreOf } from '../registry/online-view.js';
import type { Definitions } from '../registry/definitions.js';
import type { RunRequest } from './messages.js';

/** How far clocks may be apart of the servers that fire and start, and of the worker that finds what is due. */
const SKEW_MICROS = 60_000_000n;

/** What a request means: the pipeline, if one, the targets' ids, and the interval. Pure. */
export function resolveRequest(
  definitions: Definitions,
  request: RunRequest,
): {
  readonly pipeline: PipelineSpec | undefined;
  readonly targets: readonly string[];
  readonly interval: Interval;
} {
  const pipeline = choosePipeline(definitions, request);
  const targets = request.targets === undefined ? (pipeline?.targets ?? []) : targetIds(definitions, request);
  if (request.type !== 'pipeline') for (const id of targets) checkTarget(definitions, request, id);
  const span = chooseInterval(request, pipeline);
  if (!isAllTime(span)) refuseOpen(request, span, pipeline);
  return { pipeline, targets, interval: span };
}

/**
 * Refuses an interval that has not ended: its rows would be served with an event time that is yet to come, and a table would count as read at its end.
 * By the workflow's time, which every attempt sees alike; the interval of a schedule ends at its tick, and clocks may be a little apart.
 * @throws GranaryError `InvalidInterval`.
 */
export function refuseOpen(
  { clock, scheduled = false }: Pick<RunRequest, 'clock' | 'scheduled'>,
  span: Interval,
  pipeline: PipelineSpec | undefined,
): void {
  if (clock === undefined) return;
  const at = Timestamp.from(clock);
  if (scheduled && Timestamp.from(span.end).micros <= at.micros + SKEW_MICROS) return;
  requireEnded(span, at, pipeline);
}

/** The pipeline that a request means: the one it names, the only one, or that which makes its target; undefined where none is meant. */
export function choosePipeline(definitions: Definitions, request: RunRequest): PipelineSpec | undefined {
  const { name: project, pipelines } = definitions;
  // What was recorded at a time depends on no schedule.
  if (request.asOf !== undefined && request.pipeline === undefined) return undefined;
  const all = [...pipelines.values()];
  const names = all.map((p) => p.name).join(', ');
  if (request.pipeline !== undefined) {
    const found = pipelines.get(request.pipeline);
    if (!found)
      throw new GranaryError(
        'UnknownResource',
        `There is no pipeline "${request.pipeline}". ${didYouMean(request.pipeline, pipelines.keys())}`,
      );
    return found;
  }
  const { from, to } = request;
  if (from !== undefined && to !== undefined && isAllTime({ start: from, end: to })) return undefined;
  if (request.type === 'pipeline') {
    const [only, other] = all;
    if (!only && request.targets !== undefined) return undefined;
    if (!only) throw new GranaryError('UnknownResource', `The project ${project} declares no pipeline.`);
    if (other)
      throw new GranaryError(
        'InvalidInput',
        `The project has several pipelines: ${names}. Name one: {"pipeline": "${only.name}"}.`,
      );
    return only;
  }
  // A view or a training set by hand takes the intervals of the one pipeline that makes it.
  const ids = targetIds(definitions, request);
  const making = pipelinesMaking(definitions.resources, all, ids);
  const [only, other] = making;
  if (other && from === undefined)
    throw new GranaryError(
      'InvalidInput',
      `Several pipelines make this: ${making.map((p) => p.name).join(', ')}. Name one with "pipeline", or give "from" and "to".`,
    );
  return other ? undefined : only;
}

/** The targets that a request names; `materialize` and `trainingSet` know the kind, so that a bare name will do. */
export function targetIds({ resources }: Definitions, { type, targets }: RunRequest): string[] {
  const kind = type === 'materialize' ? 'view/' : type === 'trainingSet' ? 'trainingSet/' : '';
  return targetIdsOf(resources, targets ?? [], type, kind);
}

/**
 * The views that a request names, each once, or all that are served online.
 * @throws GranaryError `UnknownResource`; `InvalidInput` when one is not served online, or there is none.
 */
export function viewIds(definitions: Definitions, request: RunRequest): readonly string[] {
  const ids = request.targets
    ? [...new Set(targetIds(definitions, request))]
    : [...definitions.resources.values()]
        .filter((r) => isKind(r, 'view') && r.spec.online !== undefined)
        .map(({ id }) => id);
  for (const id of ids) checkTarget(definitions, request, id);
  if (ids.length > 0) return ids;
  throw new GranaryError(
    'InvalidInput',
    'No feature view is served online, so there is nothing to load. Declare one with online: <store>.',
  );
}

/** @throws GranaryError `InvalidInput` when a workflow of one kind of target is given another, or a view that is not served online. */
function checkTarget({ resources }: Definitions, request: RunRequest, id: string): void {
  const kind = request.type === 'materialize' ? 'view' : 'trainingSet';
  const target = resources.get(id);
  if (target?.kind !== kind)
    throw new GranaryError('InvalidInput', `The workflow ${request.type} makes a ${kind}; "${id}" is none.`);
  if (isKind(target, 'view')) onlineStoreOf(target);
}

/** The interval that is asked for, else the pipeline's last complete one; of what no pipeline schedules, all of time. */
function chooseInterval(request: RunRequest, pipeline: PipelineSpec | undefined): Interval {
  const { date, from, to } = request;
  if (request.asOf !== undefined) return asOf(request, request.asOf);
  if (from !== undefined && to !== undefined) {
    if (!pipeline) return interval(from, to);
    return intervalOfRange(pipeline.schedule, pipeline, from, to);
  }
  if (!pipeline && date !== undefined)
    throw new GranaryError(
      'InvalidInterval',
      'No pipeline makes this target, so there is no schedule whose date could be meant. Leave "date" out: its one interval is all of time.',
    );
  if (!pipeline) return ALL_TIME;
  if (date !== undefined) return intervalOfDate(pipeline.schedule, pipeline, date);
  return lastCompleteInterval(pipeline.schedule, pipeline, Timestamp.from(request.now));
}

function asOf(request: RunRequest, text: string): Interval {
  const also = (['date', 'from', 'to', 'pipeline'] as const).find((field) => request[field] !== undefined);
  if (also !== undefined)
    throw new GranaryError(
      'InvalidInput',
      `"asOf" takes everything before an instant and goes with no "${also}". Give one of them.`,
    );
  const at = Timestamp.from(text);
  if (at.micros > Timestamp.from(request.now).micros)
    throw new GranaryError(
      'InvalidInput',
      `"asOf" is ${at.toString()}, which lies in the future: what will be recorded then is not known at ${request.now}.`,
    );
  return asOfInterval(at);
}
