import { GranaryError } from '../definitions/errors.js';
import { intervalName, isAsOf } from '../definitions/interval.js';
import type { RunDetail } from '../registry/run-history.js';
import type { RecordedRequest } from '../registry/recorded-run.js';
import type { PipelineInput } from '../workflows/index.js';
import { caller } from './caller.js';

/** How a workflow is to be started so that it does again what a run was asked for. */
export interface Again {
  readonly type: RecordedRequest['type'];
  readonly input: object;
  /** What its id tells of it. */
  readonly asked: readonly string[];
}

/** What stands in the id of a pipeline's run, so that a start joins only a run that does the same. */
export const pipelineAsked = (
  name: string,
  { date, from, to, targets = [], rebuild }: Omit<PipelineInput, 'pipeline'>,
): string[] => {
  const which =
    date ?? (from === undefined || to === undefined ? 'last' : intervalName({ start: from, end: to }));
  return [name, which, ...targets, ...(rebuild === true ? ['rebuild'] : [])];
};

/**
 * The same request for the same interval, as a run of its own. Relative times stand as the run took them.
 * @throws GranaryError `InvalidInput`: a kind of run that is not started again like this.
 */
export function again(run: RunDetail): Again {
  const request = run.request ?? requestOf(run);
  const { type, targets = [], rebuild } = request;
  const [target = ''] = targets;
  const { start: from, end: to } = run.interval;
  const span = { from, to };
  const more = rebuild === true ? { rebuild } : {};
  const pipeline = run.pipeline === undefined ? {} : { pipeline: run.pipeline };
  const by = request.by === undefined ? {} : { by: caller() };
  const reason = request.reason === undefined ? {} : { reason: request.reason };
  const asked = ['retry', run.run];
  switch (type) {
    case 'pipeline': {
      const input = { ...span, ...(request.targets === undefined ? {} : { targets }), ...more };
      return {
        type,
        input: { ...pipeline, ...input },
        asked: run.pipeline === undefined ? asked : pipelineAsked(run.pipeline, input),
      };
    }
    case 'trainingSet':
      return {
        type,
        asked,
        input: isAsOf(run.interval)
          ? { trainingSet: target, asOf: to }
          : { trainingSet: target, ...pipeline, ...span, ...more },
      };
    case 'materialize': {
      if (request.recorded !== true && request.fullRefresh !== true)
        return { type, asked, input: { view: target, ...pipeline, ...span, ...more } };
      const window = request.from === undefined && request.to === undefined ? {} : span;
      const refresh = request.fullRefresh === true ? { fullRefresh: true } : {};
      return {
        type,
        asked,
        input: {
          ...(request.targets === undefined ? {} : { views: targets }),
          ...(request.fullRefresh === true ? ends(request) : window),
          ...refresh,
          ...by,
        },
      };
    }
    case 'rollback': {
      const version = request.version === undefined ? {} : { version: request.version };
      return { type, asked, input: { featureSet: target, ...version, ...reason, ...by } };
    }
    case 'promote': {
      const variant = request.variant === undefined ? {} : { variant: request.variant };
      const previous = request.previous === true ? { previous: true } : {};
      return { type, asked, input: { name: target, ...variant, ...previous, ...reason, ...by } };
    }
  }
}

/** The ends of a full refresh, which need not be those of its interval. */
const ends = ({ from, to }: RecordedRequest): object => ({
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
});

/** Of runs whose worker did not note what was asked for: the plan tells what was made. */
function requestOf({ type, pipeline, plan, run }: RunDetail): RecordedRequest {
  const read = new Set(plan.steps.flatMap(({ dependsOn }) => dependsOn));
  const targets = plan.steps.filter(({ id }) => !read.has(id)).map(({ id }) => id);
  if (type === 'pipeline') return { type, ...(pipeline === undefined ? {} : { pipeline }), targets };
  throw new GranaryError(
    'InvalidInput',
    `What the run ${run} (${type}) was asked for is not recorded. ${type === 'apply' ? 'Apply again: granary apply.' : 'Start it as before, by its own command.'}`,
  );
}
