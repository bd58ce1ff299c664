import { log } from '@temporalio/activity';
import { scheduledSteps } from '../definitions/apply-plan.js';
import { handlerOf } from '../definitions/contract-file.js';
import { isKind, isRaw, type PipelineSpec } from '../definitions/contract.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { isAllTime, isAsOf, type Interval } from '../definitions/interval.js';
import { plan, type Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { partOf, type RunRef } from '../registry/ownership.js';
import { readsBefore } from '../registry/reads-before.js';
import { settle } from '../registry/settle.js';
import { trainingReads, unversioned } from '../registry/training-reads.js';
import { handlerMissing } from './build-rows.js';
import { crashPoint } from './crash-points.js';
import { deadlinesOf } from './deadlines.js';
import { definitionsOf, type Definitions } from '../registry/definitions.js';
import type { PromotionRef, RefreshRef, ResolvedRun, Rollback, RunRequest } from './messages.js';
import { closeStatus } from './owner.js';
import { requirePast } from './past.js';
import { refuseTorn } from './refuse-torn.js';
import { resolveLoad } from './resolve-load.js';
import { resolvePromotion } from './resolve-promotion.js';
import { resolveRefresh } from './resolve-refresh.js';
import { resolveRequest } from './resolve-request.js';
import { resolveRollback } from './resolve-rollback.js';
import { PRIORITIES } from '../definitions/priorities.js';
import { runStaging, STAGING, writtenStores } from './staging.js';
import type { Runtime } from './runtime.js';
import { currentRun } from './step.js';

/**
 * A run's first step: finds the definitions that count, settles what closed workflows left open, resolves names, the interval and the plan,
 * checks that this worker has the code, and records the run. (A rollback needs neither definitions nor code of this worker.)
 */
export async function resolveRun(runtime: Runtime, request: RunRequest): Promise<ResolvedRun> {
  const whole = currentRun();
  const run = request.part === undefined ? whole : partOf(whole, request.part);
  const { registry } = runtime;
  const {
    plan: resolved,
    pipeline,
    rollback,
    promotion,
    refresh,
    resources,
    window,
    notes = [],
  } = await resolveWork(runtime, request, run);
  if (request.backfill === undefined) {
    // A backfill has done so at its beginning, not for each of its intervals.
    await settle(registry, closeStatus, run.id);
    await registry.promotions.abandonEnded();
  }
  const retries = pipeline?.retries ?? { max: 3, delay: '10s' };
  // When it was asked for, by what, and which part it was are the run's own.
  const { now: _1, began: _2, part: _3, scheduled: _4, backfill: _5, clock: _6, ...asked } = request;
  await crashPoint('run.before-begin');
  await registry.runs.begin({
    ...run,
    type: request.type,
    ...(pipeline === undefined ? {} : { pipeline: pipeline.name }),
    plan: resolved,
    retries,
    request: asked,
  });
  if (request.backfill !== undefined)
    await registry.backfills.began(request.backfill, Number(request.part), run);
  await crashPoint('run.after-begin');
  const hasAttributes = request.backfill === undefined && (await runtime.searchAttributes.known());
  return {
    run,
    ...(pipeline === undefined ? {} : { pipeline: pipeline.name }),
    plan: resolved,
    // What a rollback takes away may be half loaded already, which the ledger does not know.
    rebuild:
      rollback !== undefined ||
      promotion !== undefined ||
      refresh !== undefined ||
      (request.rebuild ?? false),
    retries,
    heartbeatTimeout: runtime.heartbeatTimeout,
    timeouts: timeouts(resources, resolved),
    ...(rollback === undefined ? {} : { rollback }),
    ...(promotion === undefined ? {} : { promotion }),
    ...(window === undefined ? {} : { window }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(refresh === undefined ? {} : { refresh }),
    ...(await deadlinesOf(runtime, resources, pipeline, resolved, request)),
    ...(hasAttributes ? { searchAttributes: true } : {}),
    ...(request.backfill === undefined
      ? {}
      : { priority: PRIORITIES.backfill, readsBefore: readsBefore(resources, resolved) }),
  };
}

interface Work {
  readonly plan: Plan;
  readonly pipeline?: PipelineSpec | undefined;
  readonly rollback?: Rollback;
  readonly promotion?: PromotionRef;
  readonly refresh?: RefreshRef;
  readonly resources: Definitions['resources'];
  readonly window?: Interval;
  readonly notes?: readonly string[];
}

async function resolveWork(runtime: Runtime, request: RunRequest, run: RunRef): Promise<Work> {
  const { resources } = runtime.registry;
  switch (request.type) {
    case 'rollback':
      return {
        ...(await resolveRollback(runtime, request)),
        // What only the replaced version had must leave the online store.
        refresh: { by: request.by ?? 'Temporal UI' },
        resources: await resources.all(),
      };
    case 'promote':
      return { ...(await resolvePromotion(runtime, request, run)), resources: await resources.all() };
    case 'materialize':
      if (request.fullRefresh)
        return { ...(await resolveRefresh(runtime, request)), resources: await resources.all() };
      if (request.recorded) return await resolveLoad(runtime, request);
      return await resolveTargets(runtime, request);
    case 'pipeline':
    case 'trainingSet':
      return await resolveTargets(runtime, request);
  }
}

/** Registers the worker's definitions unless others were applied, and settles which steps make the targets for which interval. */
async function resolveTargets(
  runtime: Runtime,
  request: RunRequest,
): Promise<{
  readonly plan: Plan;
  readonly pipeline: PipelineSpec | undefined;
  readonly resources: Definitions['resources'];
}> {
  await runtime.registry.migrate();
  const definitions = await definitionsOf(runtime);
  const { resources } = definitions;
  const { pipeline, targets, interval: span } = resolveRequest(definitions, request);
  await definitions.register();
  if (isAsOf(span)) return { plan: asOfPlan(resources, targets, span), pipeline, resources };
  const resolved = plan(resources, targets, span);
  for (const step of resolved.steps) {
    const resource = resources.get(step.id);
    if (
      resource &&
      isKind(resource, 'source') &&
      !isRaw(resource.spec) &&
      'handler' in resource.spec.build &&
      !handlerOf(runtime.project, resource)
    )
      throw handlerMissing(resource.spec.build.handler);
  }
  // What a pipeline schedules is never made for all of time: it is read as it is.
  if (!isAllTime(span)) {
    // Single targets, of an apply or by hand, are not the pipeline's interval.
    if (pipeline && request.type === 'pipeline' && request.targets === undefined)
      await requirePast(runtime, pipeline, resolved);
    await refuseTorn(runtime, resources, resolved);
    return { plan: resolved, pipeline, resources };
  }
  const scheduled = scheduledSteps(resources, definitions.pipelines.values());
  const steps = resolved.steps
    .filter(({ id }) => !scheduled.has(id))
    .map((step) => ({ ...step, dependsOn: step.dependsOn.filter((id) => !scheduled.has(id)) }));
  return { plan: { ...resolved, steps }, pipeline, resources };
}

/** The steps of training sets as of a time: nothing upstream is made, what was recorded is read. @throws GranaryError `InvalidInput`. */
function asOfPlan(resources: Definitions['resources'], targets: readonly string[], span: Interval): Plan {
  for (const id of targets) {
    const set = resourceOf(resources, id, 'trainingSet');
    const [source] = unversioned(trainingReads(resources, set, span));
    if (source)
      throw new GranaryError(
        'InvalidInput',
        `The training set ${set.name} cannot be built as of ${span.end}: its source ${source.name} is not versioned, ${isRaw(source.spec) ? 'so nobody knows what it held then. Read it through a feature set or a transformation in files, which keeps versions' : 'a table of a database that keeps its current rows alone. Make it in a file store, which keeps versions'}; or build the training set for an interval.`,
      );
  }
  const { steps, ...whole } = plan(resources, targets, span);
  return {
    ...whole,
    steps: steps.filter(({ id }) => targets.includes(id)).map((step) => ({ ...step, dependsOn: [] })),
  };
}

function timeouts(resources: Definitions['resources'], { steps }: Plan): ResolvedRun['timeouts'] {
  const entries = steps.flatMap(({ id }) => {
    const timeout = resources.get(id)?.timeout;
    return timeout === undefined ? [] : [[id, timeout] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * Removes what closed runs staged, this one's and what was left behind by others (a killed process, an attempt that went on after its run was
 * closed), unless a commit of theirs is not published yet. What cannot be removed now is left to a later run.
 */
export async function collectStaging(runtime: Runtime): Promise<void> {
  for (const name of writtenStores((await runtime.registry.resources.all()).values())) {
    try {
      const store = runtime.providers.files(name);
      const runs = new Set((await store.list(STAGING)).map((path) => path.split('/')[1] ?? ''));
      for (const run of await runtime.registry.runs.collectable([...runs]))
        await store.removeStaging(runStaging(run));
    } catch (error) {
      log.warn('Staged files of closed runs could not be removed; a later run tries again', {
        store: name,
        error: messageOf(error),
      });
    }
  }
}
