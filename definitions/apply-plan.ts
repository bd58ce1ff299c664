import type { CompiledProject } from './compile.js';
import { isKind, type PipelineSpec, type Resource } from './contract.js';
import { codeHash, handlerOf, type Contract } from './contract-file.js';
import { changesOf, type Changes, type KnownResource } from './diff.js';
import { GranaryError } from './errors.js';
import { ALL_TIME } from './interval.js';
import { plan } from './plan.js';
import { resourceName } from './upstream.js';

/** Steps of one run that an apply starts, so that no run's history grows large. */
const STEPS_PER_RUN = 100;

/** One run that an apply starts. */
export interface ApplyRun {
  /** The pipeline that schedules the targets; absent: nothing schedules them, and their interval is all of time. */
  readonly pipeline?: string;
  /** Ids. */
  readonly targets: readonly string[];
}

/** What an apply does. Plain data. */
export interface ApplyPlan {
  /** Ids, upstream first. */
  readonly created: readonly string[];
  readonly unchanged: readonly string[];
  readonly updated: readonly { readonly id: string; readonly fields: readonly string[] }[];
  readonly refused: Changes['refused'];
  readonly runs: readonly ApplyRun[];
  readonly warnings: readonly string[];
}

/** A resource of the registry with its last outcome. */
export interface KnownStatus extends KnownResource {
  readonly status: 'PENDING' | 'RUNNING' | 'READY' | 'FAILED';
}

/**
 * What applying a contract would do: pure. What is new, or was not made READY, runs.
 * @throws GranaryError `InvalidDefinition`: SQL that needs an interval where no pipeline gives one.
 */
export function planApply(
  contract: Contract,
  known: ReadonlyMap<string, KnownStatus>,
  registeredPipelines: Iterable<PipelineSpec>,
): ApplyPlan & { readonly changes: Changes } {
  const changes = changesOf(known, contract.resources);
  const resources = new Map<string, Resource>([
    ...known,
    ...contract.resources.map((r) => [r.id, r] as const),
  ]);
  const pipelines = new Map(
    [...registeredPipelines, ...contract.pipelines].map((pipeline) => [pipeline.name, pipeline]),
  );
  refuseIntervals(contract, resources, pipelines.values());
  const wanted = contract.resources.filter(({ id }) => known.get(id)?.status !== 'READY').map(({ id }) => id);
  return {
    changes,
    created: changes.created.map(({ resource }) => resource.id),
    unchanged: changes.unchanged,
    updated: changes.updated.map(({ id, fields }) => ({ id, fields })),
    refused: changes.refused,
    runs: changes.refused.length > 0 ? [] : applyRuns(resources, pipelines.values(), wanted),
    warnings: [],
  };
}

/** The ids of the steps that some pipeline schedules -> the first such pipeline. */
export function scheduledSteps(
  resources: ReadonlyMap<string, Resource>,
  pipelines: Iterable<PipelineSpec>,
): Map<string, PipelineSpec> {
  const scheduled = new Map<string, PipelineSpec>();
  for (const pipeline of pipelines)
    for (const { id } of plan(resources, pipeline.targets, ALL_TIME).steps)
      if (!scheduled.has(id)) scheduled.set(id, pipeline);
  return scheduled;
}

/** Groups what is to be made by the pipeline that schedules it, these first, then the rest; upstream first, at most so many steps each. */
function applyRuns(
  resources: ReadonlyMap<string, Resource>,
  pipelines: Iterable<PipelineSpec>,
  wanted: readonly string[],
): ApplyRun[] {
  const scheduled = scheduledSteps(resources, pipelines);
  const groups = new Map<string | undefined, ApplyRun[]>();
  const sizes = new Map<ApplyRun, Set<string>>();
  for (const id of wanted) {
    const steps = plan(resources, [id], ALL_TIME).steps.map((step) => step.id);
    if (!steps.includes(id)) continue;
    const pipeline = scheduled.get(id)?.name;
    // What others schedule is not made for all of time: it is read as it is.
    const own = pipeline === undefined ? steps.filter((step) => !scheduled.has(step)) : steps;
    const runs = groups.get(pipeline) ?? [];
    groups.set(pipeline, runs);
    const last = runs.at(-1);
    const together = new Set([...(last === undefined ? [] : (sizes.get(last) ?? [])), ...own]);
    if (last !== undefined && together.size <= STEPS_PER_RUN) {
      const grown = { ...last, targets: [...last.targets, id] };
      runs[runs.length - 1] = grown;
      sizes.set(grown, together);
    } else {
      const begun: ApplyRun = { ...(pipeline === undefined ? {} : { pipeline }), targets: [id] };
      runs.push(begun);
      sizes.set(begun, new Set(own));
    }
  }
  const unscheduled = groups.get(undefined) ?? [];
  groups.delete(undefined);
  return [...[...groups.values()].flat(), ...unscheduled];
}

function refuseIntervals(
  contract: Contract,
  resources: ReadonlyMap<string, Resource>,
  pipelines: Iterable<PipelineSpec>,
): void {
  const scheduled = scheduledSteps(resources, pipelines);
  for (const resource of contract.resources) {
    if (!isKind(resource, 'source') || scheduled.has(resource.id)) continue;
    const build = 'build' in resource.spec ? resource.spec.build : undefined;
    if (build && 'sql' in build && /\{\{interval\.(start|end)\}\}/.test(build.sql))
      throw new GranaryError(
        'InvalidDefinition',
        `The SQL of ${resource.name} uses intervalStart or intervalEnd, but no pipeline schedules it, so that it has no interval. Make it, or what is made of it, a target of a pipeline; or write the SQL without.`,
      );
  }
}

/**
 * Whether the worker has the code of the TypeScript builds that a contract refers to.
 * @returns what differs, in words: another version of the code than the one that was compiled.
 * @throws GranaryError `HandlerMissing` that names them.
 */
export function checkHandlers(contract: Contract, project: CompiledProject): string[] {
  const missing: string[] = [];
  const warnings: string[] = [];
  for (const resource of contract.resources) {
    if (!isKind(resource, 'source') || !('build' in resource.spec)) continue;
    if (!('handler' in resource.spec.build)) continue;
    const handler = handlerOf(project, resource);
    const compiled = contract.handlers[resource.id];
    if (!handler) missing.push(resource.spec.build.handler);
    else if (compiled !== undefined && compiled !== codeHash(handler))
      warnings.push(
        `The worker's code of the build of ${resourceName(resource)} is not the one that was applied: the worker's (${codeHash(handler).slice(0, 12)}) runs, not ${compiled.slice(0, 12)}.`,
      );
  }
  if (missing.length > 0)
    throw new GranaryError(
      'HandlerMissing',
      `The worker has no code for the build of ${missing.map((name) => `"${name}"`).join(', ')}. Deploy a worker whose project declares featureSet('${missing[0] ?? ''}', { build: async function* ... }).`,
    );
  return warnings;
}
