import type { ApplyPlan } from '../definitions/apply-plan.js';
import type { PipelineSpec } from '../definitions/contract.js';
import { endedIntervals } from '../definitions/ended-intervals.js';
import { GranaryError } from '../definitions/errors.js';
import type { Interval } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import type { OpenProject } from '../providers/bind.js';
import { coverage, type IntervalState } from '../registry/coverage.js';
import { coverageCounts, coverageRanges, type CoverageRange } from '../registry/coverage-ranges.js';
import type { Registry } from '../registry/registry.js';
import { settle, type ClosedAs } from '../registry/settle.js';
import { planOf } from './apply.js';

export interface PlanOptions {
  /** Names of pipelines. Default: all. */
  readonly pipelines?: readonly string[];
  /** Intervals within `[from, to)`: local dates of the schedule's time zone, or ISO-8601. Default: from the pipeline's startDate to now. */
  readonly from?: string;
  readonly to?: string;
}

/** How a pipeline's intervals stand. */
export interface PipelinePlan {
  readonly pipeline: string;
  /** From the first interval's start to the last one's end; undefined when none is complete yet. */
  readonly span?: Interval;
  readonly counts: Readonly<Partial<Record<IntervalState, number>>>;
  /** Oldest first. */
  readonly ranges: readonly CoverageRange[];
}

/** What the project's definitions would change, and what of their intervals is not valid. */
export interface ProjectPlan {
  readonly definitions: ApplyPlan;
  readonly pipelines: readonly PipelinePlan[];
}

/**
 * Holds the project against the registry: what an apply would do, and which intervals are missing, failed, running or stale for the definitions as the
 * project has them. Only the registry is asked: whether files and tables of others have changed is for a run to find out.
 */
export async function planProject(
  open: OpenProject,
  registry: Registry,
  closedAs: ClosedAs,
  { pipelines: names, ...bounds }: PlanOptions,
): Promise<ProjectPlan> {
  const definitions = await planOf(open, registry);
  await settle(registry, closedAs);
  const { pipelines, resources } = open.project;
  const known = new Map([...(await registry.resources.all()), ...resources]);
  const now = await registry.runs.clock();
  const wanted = names?.map((name) => named(pipelines, name)) ?? [...pipelines.values()];
  return {
    definitions,
    pipelines: await Promise.all(
      wanted.map(async (pipeline) => {
        const { all: intervals } = endedIntervals(pipeline, bounds, now);
        const found = await coverage(registry, known, { targets: pipeline.targets, intervals });
        const ranges = coverageRanges(found);
        const [first, last] = [ranges[0], ranges.at(-1)];
        return {
          pipeline: pipeline.name,
          ...(first && last ? { span: { start: first.span.start, end: last.span.end } } : {}),
          counts: coverageCounts(found),
          ranges,
        };
      }),
    ),
  };
}

function named(pipelines: ReadonlyMap<string, PipelineSpec>, name: string): PipelineSpec {
  const found = pipelines.get(name);
  if (found) return found;
  throw new GranaryError(
    'UnknownResource',
    `There is no pipeline "${name}". ${didYouMean(name, pipelines.keys())}`,
  );
}
