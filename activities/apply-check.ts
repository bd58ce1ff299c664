import type { ApplyRun } from '../definitions/apply-plan.js';
import { compiledContract } from '../definitions/contract-file.js';
import { inDatabase, isKind, isRaw, type PipelineSpec, type Resource } from '../definitions/contract.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { ALL_TIME } from '../definitions/interval.js';
import { lastCompleteInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import { neededFor } from '../definitions/upstream.js';
import type { Outcome } from '../registry/applies.js';
import type { DatasetInput } from '../registry/dataset.js';
import { childId } from '../registry/settle.js';
import { crashPoint } from './crash-points.js';
import { inputsOf } from './inputs.js';
import type { ApplyRef, CheckedApply } from './messages.js';
import { relationOf, tableOf } from './relations.js';
import { withEngine, withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';

/**
 * Checks, before anything is created, every provider and every source that is new or failed: that the worker reaches them, that files
 * are there and have the declared columns and types. Records what is not so, and hands back the runs for the rest.
 */
export async function checkApply(
  runtime: Runtime,
  { apply: id, now }: ApplyRef & { readonly now: string },
  attempt: Attempt,
): Promise<CheckedApply> {
  const { registry, providers } = runtime;
  const apply = await registry.applies.get(id);
  const { resources, pipelines } = compiledContract(await registry.applies.contract(id));
  const items = await registry.applies.items(id);
  await crashPoint('apply.before-check');
  const open = items
    .filter(({ status }) => status === 'PENDING')
    .flatMap((item) => resources.get(item.id) ?? []);
  const outcomes: Outcome[] = await Promise.all(
    open
      .filter((r): r is Resource<'provider'> => isKind(r, 'provider'))
      .map((provider) => checked(provider.id, () => providers.checkHealth(provider))),
  );
  const failed = new Set(
    [...items, ...outcomes].filter(({ status }) => status === 'FAILED').map((item) => item.id),
  );
  const sources = open.filter(
    (r): r is Resource<'source'> =>
      isKind(r, 'source') && !neededFor(r, resources).some((other) => failed.has(other)),
  );
  outcomes.push(...(await checkSources(runtime, sources, attempt)));
  await registry.applies.record(id, outcomes);
  await crashPoint('apply.after-check');
  for (const { id: of, status } of outcomes) if (status === 'FAILED') failed.add(of);
  // What a failure reaches does not run.
  for (const resource of resources.values())
    if (neededFor(resource, resources).some((other) => failed.has(other))) failed.add(resource.id);
  const named = new Map([
    ...(await registry.resources.pipelines()).map((p) => [p.name, p] as const),
    ...pipelines,
  ]);
  const runs = (apply?.plan?.runs ?? []).map((planned, run) => ({
    run,
    workflowId: childId({ workflowId: apply?.workflowId ?? '', id }, run),
    ...planned,
    targets: planned.targets.filter((target) => !failed.has(target)),
  }));
  return { runs: runs.filter((run) => run.targets.length > 0 && isDue(run, named, now)) };
}

/** A pipeline of which no interval is complete yet has nothing to run; its schedule will. */
function isDue(
  { pipeline: name }: ApplyRun,
  pipelines: ReadonlyMap<string, PipelineSpec>,
  now: string,
): boolean {
  const pipeline = name === undefined ? undefined : pipelines.get(name);
  if (!pipeline) return true;
  try {
    lastCompleteInterval(pipeline.schedule, pipeline, Timestamp.from(now));
    return true;
  } catch (error) {
    if (error instanceof GranaryError && error.code === 'InvalidInterval') return false;
    throw error;
  }
}

/** What does not pass is FAILED in its own words; what passes stays open, but a provider is READY. */
async function checked(id: string, check: () => Promise<void>): Promise<Outcome> {
  try {
    await check();
    return { id, status: 'READY' };
  } catch (error) {
    return { id, status: 'FAILED', error: messageOf(error) };
  }
}

/** Checks that raw sources are there with the declared columns and types; they are READY then. */
async function checkSources(
  runtime: Runtime,
  sources: readonly Resource<'source'>[],
  attempt: Attempt,
): Promise<Outcome[]> {
  const raw = sources.filter(({ spec }) => isRaw(spec));
  const files = raw.filter(({ spec }) => !inDatabase(spec));
  const databases = new Map<string, Resource<'source'>[]>();
  for (const source of raw)
    if (inDatabase(source.spec))
      databases.set(source.spec.store, [...(databases.get(source.spec.store) ?? []), source]);
  const request = { step: { name: 'the check of sources' } };
  const outcomes: Outcome[] = [];
  const each = async (
    of: readonly Resource<'source'>[],
    signal: AbortSignal,
    check: (source: Resource<'source'>, inputs: readonly DatasetInput[]) => Promise<void>,
  ): Promise<void> => {
    for (const source of of) {
      signal.throwIfAborted();
      outcomes.push(await checked(source.id, async () => check(source, await inputsNow(runtime, source))));
      signal.throwIfAborted();
    }
  };
  if (files.length > 0)
    await withEngine(runtime, request, attempt, async (session, folder, { signal }) => {
      await each(files, signal, async (source, inputs) =>
        session.inspect(await relationOf(runtime, source, inputs, { session, folder, signal })),
      );
    });
  for (const [database, tables] of databases)
    await withTables(runtime, request, attempt, database, async (session, { signal }) => {
      await each(tables, signal, async (source, inputs) =>
        session.inspect(await tableOf(runtime, source, inputs)),
      );
    });
  return outcomes;
}

const inputsNow = (runtime: Runtime, source: Resource<'source'>): Promise<DatasetInput[]> =>
  inputsOf(runtime, source, { interval: ALL_TIME, by: 'interval', from: undefined });
