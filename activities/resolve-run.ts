import { Context, log } from '@temporalio/activity';
import { findTarget } from '../definitions/target.js';
import { isKind, isRaw, type PipelineSpec } from '../definitions/contract.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { interval, type Interval } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { plan, type Plan } from '../definitions/plan.js';
import { intervalOfDate, intervalOfRange, lastCompleteInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import { handlerMissing } from './build-rows.js';
import { closeStatus } from './claim-step.js';
import { crashPoint } from './crash-points.js';
import type { ResolvedRun, RunRequest } from './messages.js';
import { resolveRollback } from './resolve-rollback.js';
import { runStaging, STAGING, writtenStores } from './staging.js';
import type { Runtime } from './runtime.js';
import { onlineStoreOf } from '../registry/online-view.js';
import type { RunRef } from '../registry/ownership.js';
import type { RunStatus } from '../registry/tables.js';

/**
 * A run's first step: registers the project's definitions, settles what closed workflows left open, resolves names, the interval and the plan,
 * checks that this worker has the code, and records the run. (A rollback needs neither definitions nor code of this worker.)
 */
export async function resolveRun(runtime: Runtime, request: RunRequest): Promise<ResolvedRun> {
  const { workflowExecution } = Context.current().info;
  if (!workflowExecution) throw new GranaryError('Internal', 'This activity belongs to a workflow.');
  const run: RunRef = { id: workflowExecution.runId, workflowId: workflowExecution.workflowId };
  const { registry } = runtime;
  const {
    plan: resolved,
    pipeline,
    rollback,
  } = request.type === 'rollback'
    ? { ...(await resolveRollback(runtime, request)), pipeline: undefined }
    : { ...(await resolveTargets(runtime, request)), rollback: undefined };
  await settle(runtime, run);
  const retries = pipeline?.retries ?? { max: 3, delay: '10s' };
  await crashPoint('run.before-begin');
  await registry.runs.begin({
    ...run,
    type: request.type,
    ...(pipeline === undefined ? {} : { pipeline: pipeline.name }),
    plan: resolved,
    retries,
  });
  await crashPoint('run.after-begin');
  return {
    run,
    ...(pipeline === undefined ? {} : { pipeline: pipeline.name }),
    plan: resolved,
    // What a rollback takes away may be half loaded already, which the ledger does not know.
    rebuild: rollback !== undefined || (request.rebuild ?? false),
    retries,
    heartbeatTimeout: runtime.heartbeatTimeout,
    timeouts: timeouts(runtime, resolved),
    ...(rollback === undefined ? {} : { rollback }),
  };
}

/** Registers the definitions, and settles which steps make the targets for which interval. */
async function resolveTargets(
  runtime: Runtime,
  request: RunRequest,
): Promise<{ readonly plan: Plan; readonly pipeline: PipelineSpec | undefined }> {
  const { project, registry } = runtime;
  const { pipelines, resources } = project;
  const pipeline = choosePipeline(runtime, request);
  const targets = request.targets === undefined ? (pipeline?.targets ?? []) : targetIds(runtime, request);
  if (request.type !== 'pipeline') for (const id of targets) checkTarget(runtime, request, id);
  const span = chooseInterval(request, pipeline);
  await registry.migrate();
  await registry.resources.register(resources.values(), pipelines.values());
  const resolved = plan(resources, targets, span);
  for (const step of resolved.steps) {
    const resource = resources.get(step.id);
    if (
      resource &&
      isKind(resource, 'source') &&
      !isRaw(resource.spec) &&
      'handler' in resource.spec.build &&
      !project.handlers.has(resource.id)
    )
      throw handlerMissing(resource.spec.build.handler);
  }
  return { plan: resolved, pipeline };
}

function choosePipeline(runtime: Runtime, request: RunRequest): PipelineSpec | undefined {
  const { project } = runtime;
  const all = [...project.pipelines.values()];
  const names = all.map((p) => p.name).join(', ');
  if (request.pipeline !== undefined) {
    const found = project.pipelines.get(request.pipeline);
    if (!found)
      throw new GranaryError(
        'UnknownResource',
        `There is no pipeline "${request.pipeline}". ${didYouMean(request.pipeline, project.pipelines.keys())}`,
      );
    return found;
  }
  if (request.type === 'pipeline') {
    const [only, other] = all;
    if (!only) throw new GranaryError('UnknownResource', `The project ${project.name} declares no pipeline.`);
    if (other)
      throw new GranaryError(
        'InvalidInput',
        `The project has several pipelines: ${names}. Name one: {"pipeline": "${only.name}"}.`,
      );
    return only;
  }
  // A view or a training set by hand takes the intervals of the one pipeline that makes it.
  const ids = targetIds(runtime, request);
  const making = all.filter((p) => {
    const made = new Set([
      ...plan(project.resources, p.targets, { start: '', end: '' }).steps.map((s) => s.id),
      ...p.targets,
    ]);
    return ids.every((id) => made.has(id));
  });
  const [only, other] = making;
  if (other && request.from === undefined)
    throw new GranaryError(
      'InvalidInput',
      `Several pipelines make this: ${making.map((p) => p.name).join(', ')}. Name one with "pipeline", or give "from" and "to".`,
    );
  return other ? undefined : only;
}

/** The targets that a request names; `materialize` and `trainingSet` know the kind, so that a bare name will do. */
function targetIds({ project }: Runtime, { type, targets }: RunRequest): string[] {
  const kind = type === 'materialize' ? 'view/' : type === 'trainingSet' ? 'trainingSet/' : '';
  return (targets ?? []).map(
    (text) => findTarget(project.resources, text.includes('/') ? text : `${kind}${text}`, type).id,
  );
}

function checkTarget({ project }: Runtime, request: RunRequest, id: string): void {
  const kind = request.type === 'materialize' ? 'view' : 'trainingSet';
  const target = project.resources.get(id);
  if (target?.kind !== kind)
    throw new GranaryError('InvalidInput', `The workflow ${request.type} makes a ${kind}; "${id}" is none.`);
  if (isKind(target, 'view')) onlineStoreOf(target);
}

function chooseInterval(request: RunRequest, pipeline: PipelineSpec | undefined): Interval {
  const { date, from, to } = request;
  if (from !== undefined && to !== undefined) {
    if (!pipeline) return interval(from, to);
    return intervalOfRange(pipeline.schedule, pipeline, from, to);
  }
  if (!pipeline)
    throw new GranaryError(
      'InvalidInterval',
      'No pipeline makes this target, so there is no schedule to take an interval from. Give "from" and "to".',
    );
  if (date !== undefined) return intervalOfDate(pipeline.schedule, pipeline, date);
  return lastCompleteInterval(pipeline.schedule, pipeline, Timestamp.from(request.now));
}

function timeouts(runtime: Runtime, { steps }: Plan): ResolvedRun['timeouts'] {
  const entries = steps.flatMap(({ id }) => {
    const timeout = runtime.project.resources.get(id)?.timeout;
    return timeout === undefined ? [] : [[id, timeout] as const];
  });
  return Object.fromEntries(entries);
}

const CLOSED: Readonly<Record<string, RunStatus>> = {
  COMPLETED: 'COMPLETED',
  CANCELLED: 'CANCELLED',
  TERMINATED: 'TERMINATED',
  TIMED_OUT: 'DEADLINE_EXCEEDED',
};

/** Ends runs in the registry whose workflow closed without saying so (terminated, timed out). */
async function settle(runtime: Runtime, self: RunRef): Promise<void> {
  for (const run of await runtime.registry.runs.open(50)) {
    if (run.id === self.id) continue;
    const closed = await closeStatus(run);
    if (closed === undefined) continue;
    await runtime.registry.runs.end(
      run.id,
      CLOSED[closed] ?? 'FAILED',
      [],
      `Temporal closed the workflow: ${closed}.`,
    );
  }
}

/**
 * Removes what closed runs staged, this one's and what was left behind by others (a killed process, an attempt that went on after its run was
 * closed), unless a commit of theirs is not published yet. What cannot be removed now is left to a later run.
 */
export async function collectStaging(runtime: Runtime): Promise<void> {
  for (const name of writtenStores(runtime.project.resources.values())) {
    const store = runtime.providers.files(name);
    try {
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
