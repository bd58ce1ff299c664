import {
  REPROCESS,
  type BackfillInterval,
  type BackfillPlan,
  type BackfillRequest,
} from '../definitions/backfill.js';
import type { PipelineSpec } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { pipelinesMaking, plan } from '../definitions/plan.js';
import { targetIdsOf } from '../definitions/target.js';
import { endedIntervals } from '../definitions/ended-intervals.js';
import { coverage, type IntervalCoverage } from './coverage.js';
import { coverageCounts, type CoverageRange } from './coverage-ranges.js';
import type { Definitions } from './definitions.js';
import { readsBefore } from './reads-before.js';
import type { Registry } from './registry.js';
import { staleAfter } from './stale-after.js';

/** What a backfill would do now. */
export interface BackfillOutlook {
  readonly plan: BackfillPlan;
  /** Every interval of the span, oldest first, and how it stands. */
  readonly coverage: readonly IntervalCoverage[];
  /** Those that the backfill makes, in its order. */
  readonly intervals: readonly BackfillInterval[];
}

/** The states that each choice takes in. What another run makes at this moment may fail yet: it is waited for. */
const TAKEN: readonly (readonly IntervalCoverage['state'][])[] = [
  ['missing', 'running'],
  ['failed'],
  ['stale'],
  ['valid'],
];

/**
 * Finds out what a backfill does: which intervals of the pipeline's schedule lie in its span, how they stand by the registry alone, and which are
 * made in which order. `now` is ISO-8601: what has not ended by then is left out.
 * @throws GranaryError `UnknownResource`, `InvalidInput`, `InvalidInterval`.
 */
export async function outlookOf(
  registry: Registry,
  definitions: Pick<Definitions, 'name' | 'resources' | 'pipelines'>,
  request: BackfillRequest,
  now: string,
): Promise<BackfillOutlook> {
  const { pipeline, targets } = whatOf(definitions, request);
  const { reprocess = 'missing', maxFailures } = request;
  const { all, isCut } = endedIntervals(pipeline, request, now);
  const found = await coverage(registry, definitions.resources, { targets, intervals: all });
  const states = TAKEN.slice(0, REPROCESS.indexOf(reprocess) + 1).flat();
  const steps = all[0] ? plan(definitions.resources, targets, all[0]) : undefined;
  const looking = steps ? readsBefore(definitions.resources, steps) : [];
  const ids = looking.length > 0 && steps ? steps.steps.map(({ id }) => id) : [];
  const touched = await staleAfter(registry, definitions.resources, {
    ...{ pipeline, steps: ids, found, now },
    isMade: ({ state }) => states.includes(state),
    isRebuild: reprocess === 'all',
    isGoneOver: states.includes('stale'),
  });
  const outlook = found.map((each): IntervalCoverage => {
    const reasons = each.state === 'valid' && states.includes('stale') && touched.within.get(each.interval);
    return reasons ? { ...each, state: 'stale', reasons } : each;
  });
  const selected = outlook.filter(({ state }) => states.includes(state)).map(({ interval }) => interval);
  const isOrdered = pipeline.dependsOnPast === true || looking.length > 0;
  const order = isOrdered ? 'oldest' : (request.order ?? 'oldest');
  if (order === 'newest') selected.reverse();
  const [first, last] = [all[0], all.at(-1)];
  const notes = [
    ...(isCut
      ? [`What has not ended by ${now} is left out: the last interval ends ${last?.end ?? 'before it'}.`]
      : []),
    ...(looking.length > 0 && request.order === 'newest'
      ? [
          `Made oldest first: ${looking.join(', ')} ${looking.length === 1 ? 'reads' : 'read'} the intervals before.`,
        ]
      : []),
    ...(pipeline.dependsOnPast
      ? [
          `${pipeline.name} has dependsOnPast: its intervals are made oldest first and one at a time, and the first that fails ends the backfill.`,
        ]
      : []),
    ...(selected.length > 0 ? touched.left.map((span) => leftText(pipeline.name, request, span)) : []),
  ];
  return {
    plan: {
      pipeline: pipeline.name,
      ...(request.targets === undefined ? {} : { targets: request.targets }),
      ...(first && last ? { span: { start: first.start, end: last.end } } : {}),
      reprocess,
      concurrency: pipeline.dependsOnPast ? 1 : (request.concurrency ?? 4),
      order,
      ...(pipeline.dependsOnPast ? { maxFailures: 1 } : maxFailures === undefined ? {} : { maxFailures }),
      found: coverageCounts(outlook),
      selected: selected.length,
      notes,
    },
    coverage: outlook,
    intervals: selected.map((interval, position) => ({ position, interval })),
  };
}

const leftText = (
  pipeline: string,
  { targets }: BackfillRequest,
  { span, intervals }: CoverageRange,
): string =>
  `${intervals === 1 ? `${intervalName(span)} reads` : `${intervals} intervals, ${span.start} to ${span.end}, read`} what this makes, and ${intervals === 1 ? 'becomes' : 'become'} stale where that is other than before. To make ${intervals === 1 ? 'it' : 'them'} then: granary backfill ${targets?.join(' ') ?? pipeline} --from ${span.start} --to ${span.end} --reprocess stale`;

/** The pipeline that is asked for, or that makes the targets, and the targets' ids. */
function whatOf(
  { name, resources, pipelines }: Pick<Definitions, 'name' | 'resources' | 'pipelines'>,
  request: BackfillRequest,
): { readonly pipeline: PipelineSpec; readonly targets: readonly string[] } {
  const all = [...pipelines.values()];
  const targets = request.targets && targetIdsOf(resources, request.targets, 'backfill');
  const names = (some: readonly PipelineSpec[]): string => some.map((each) => each.name).join(', ');
  if (request.pipeline !== undefined) {
    const pipeline = pipelines.get(request.pipeline);
    if (!pipeline)
      throw new GranaryError(
        'UnknownResource',
        `There is no pipeline "${request.pipeline}". ${didYouMean(request.pipeline, pipelines.keys())}`,
      );
    const strange = targets?.find((id) => pipelinesMaking(resources, [pipeline], [id]).length === 0);
    if (strange !== undefined)
      throw new GranaryError(
        'InvalidInput',
        `The pipeline ${pipeline.name} does not make ${strange}. Leave "pipeline" out, or choose among its targets: ${pipeline.targets.join(', ')}.`,
      );
    return { pipeline, targets: targets ?? pipeline.targets };
  }
  const making = targets ? pipelinesMaking(resources, all, targets) : all;
  const [only, other] = making;
  const what = request.targets?.join(', ') ?? '';
  if (!only)
    throw new GranaryError(
      targets ? 'InvalidInput' : 'UnknownResource',
      targets
        ? `No pipeline makes ${what}, so there is no schedule whose intervals could be made. ${all.length === 0 ? 'The project declares none.' : `Pipelines: ${names(all)}.`}`
        : `The project ${name} declares no pipeline, so there is nothing to backfill.`,
    );
  if (other)
    throw new GranaryError(
      'InvalidInput',
      `${targets ? `Several pipelines make ${what}` : 'The project has several pipelines'}: ${names(making)}. Name one: {"pipeline": "${only.name}"}.`,
    );
  return { pipeline: only, targets: targets ?? only.targets };
}
