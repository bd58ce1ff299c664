import { log } from '@temporalio/activity';
import { isKind, isRaw, type Resource } from '../definitions/contract.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { isAsOf, isSameInterval, type Interval } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { datasetInput, inputsHash, type DatasetInput } from '../registry/dataset.js';
import type { LedgerEntry } from '../registry/ledger.js';
import type { RunRef } from '../registry/ownership.js';
import type { RegisteredResource } from '../registry/resources.js';
import { trainingInputs, trainingReads } from '../registry/training-reads.js';
import { readFrom } from '../registry/version-choice.js';
import { crashPoint } from './crash-points.js';
import { inputsOf, type Resources } from './inputs.js';
import type { ClaimResult, StepRequest, StepResult } from './messages.js';
import { onlineContents } from './online-contents.js';
import { isOpen, until } from './owner.js';
import { ensurePublished, locationOf, projectLatest } from './publication.js';
import { recordedVersions, type RecordedVersions } from '../registry/recorded-versions.js';
import type { Runtime } from './runtime.js';

/** What a step reads, as contents; one that loads what `isRecorded`, the very version of its interval. */
async function stepInputs(
  runtime: Runtime,
  resources: Resources,
  target: Resource,
  interval: Interval,
  isRecorded: boolean,
): Promise<DatasetInput[]> {
  if (isKind(target, 'source')) {
    const { spec } = target;
    if (isRaw(spec)) return [];
    const sources = [...new Set(Object.values(spec.inputs))].map((id) => resourceOf(resources, id, 'source'));
    const reads = await Promise.all(
      sources.map((source) =>
        inputsOf(runtime, source, { interval, by: 'interval', from: readFrom(spec, interval) }),
      ),
    );
    return reads.flat();
  }
  if (isKind(target, 'view')) {
    const source = resourceOf(resources, target.spec.source, 'source');
    if (isRaw(source.spec))
      return await inputsOf(runtime, source, { interval, by: 'interval', from: undefined });
    if (isRecorded) {
      const ending = { until: interval.end, after: interval.start };
      const current = await runtime.registry.datasets.current(source.id, ending);
      const own = current.filter((dataset) => isSameInterval(dataset.interval, interval));
      if (own.length > 0) return own.map(datasetInput);
    }
    return await inputsOf(runtime, source, { interval, by: 'interval', from: undefined, newest: true });
  }
  if (isKind(target, 'trainingSet'))
    return await trainingInputs(
      trainingReads(resources, target, interval),
      async ({ source, use, reader }) => {
        const found = await inputsOf(runtime, source, reader);
        if (found.length === 0 && use === 'label' && isAsOf(interval))
          throw new GranaryError(
            'SourceMissing',
            `${source.id}, which has the label of ${target.id}, had no version at ${interval.end}. Ask for a later time.`,
          );
        return found;
      },
    );
  return [];
}

/**
 * The first thing a step does: finds out whether its interval is valid already, else makes the run its owner, else says whose it is.
 * Valid means: made by this very definition from these very contents, and still in the online store.
 */
export async function claimStep(runtime: Runtime, request: StepRequest): Promise<ClaimResult> {
  const { run, step, interval } = request;
  const resources = await runtime.registry.resources.all();
  const target = resources.get(step.id);
  if (!target) return { state: 'owned' };
  const inputs = await inputsToClaim(runtime, resources, target, request);
  const claim = { target: step.id, interval };
  for (;;) {
    const entry = await runtime.registry.ledger.get(step.id, interval);
    // What this run made itself is valid for it, also when it was asked to rebuild.
    const mayReuse = !request.rebuild || entry?.run === run.id;
    if (entry && mayReuse && (await isValid(runtime, target, entry, inputs, run.id))) {
      const recorded = await recordedOf(runtime, resources, target, request);
      // An older interval came to lack what this one has: it is loaded under the claim of this one.
      const isWhole = !recorded || recorded.missing.length === 0 || entry.run === run.id;
      if (isWhole) {
        const result = await currentResult(runtime, resources, target, entry);
        await runtime.registry.runs.setStep(run.id, step.id, 'COMPLETED', result);
        return {
          state: 'current',
          result: recorded ? { ...result, intervals: { loaded: 0, valid: recorded.valid.length } } : result,
        };
      }
    }
    await crashPoint('claim.before-own');
    const owner = await runtime.registry.ownership.claim(claim, run);
    if (owner.id === run.id) break;
    // An owner that is open but done with this step works on it no more: two runs must not wait for each other.
    if ((await isOpen(owner)) && !(await runtime.registry.runs.isDone(owner.id, step.id)))
      return { state: 'wait', owner };
    // The owner is done and left no valid result: the interval is free to take. The ledger is asked again, for whoever is first.
    await runtime.registry.ownership.takeOver(claim, owner, run);
  }
  await crashPoint('claim.after-own');
  await runtime.registry.runs.pinInputs(run.id, step.id, inputs);
  await crashPoint('claim.after-pin');
  if (isKind(target, 'source') || isKind(target, 'trainingSet'))
    await runtime.registry.ownership.versionName(step.id, run);
  // A run that was killed between its commit and its publication left these to whoever comes next.
  for (const dataset of await runtime.registry.datasets.unpublished(step.id))
    await ensurePublished(runtime, dataset).catch((error: unknown) => {
      // Whoever reads that version will say so; this interval does not depend on it.
      log.warn('A committed version could not be published', {
        dataset: dataset.id,
        error: messageOf(error),
      });
    });
  return { state: 'owned' };
}

/** What a step that loads recorded versions finds of them; undefined for every other step. */
async function recordedOf(
  runtime: Runtime,
  resources: Resources,
  target: RegisteredResource,
  { step, window }: StepRequest,
): Promise<RecordedVersions | undefined> {
  if (step.interval === undefined || !isKind(target, 'view')) return undefined;
  const source = resourceOf(resources, target.spec.source, 'source');
  if (isRaw(source.spec)) return undefined;
  const { id: storeId } = await onlineContents(runtime, target);
  return await recordedVersions(runtime.registry, target, source, { storeId, window });
}

/** What a step pins. Steps that move what was made read nothing anew: theirs is what it was made from. */
async function inputsToClaim(
  runtime: Runtime,
  resources: Resources,
  target: RegisteredResource,
  { step, interval, rollback }: StepRequest,
): Promise<DatasetInput[]> {
  const { datasets } = runtime.registry;
  if (rollback) return await datasets.inputs(rollback.of);
  if (step.kind !== 'promote' && step.kind !== 'retire')
    return await stepInputs(runtime, resources, target, interval, step.interval !== undefined);
  const newest = await datasets.newest(target.id);
  return newest ? await datasets.inputs(newest.id) : [];
}

async function isValid(
  runtime: Runtime,
  target: RegisteredResource,
  entry: LedgerEntry,
  inputs: readonly DatasetInput[],
  run: string,
): Promise<boolean> {
  if (entry.fingerprint !== target.fingerprint) return false;
  if (entry.inputsHash !== inputsHash(await asRead(runtime, target, entry, inputs, run))) return false;
  if (!isKind(target, 'view') || target.spec.online === undefined) return true;
  return entry.storeId === (await onlineContents(runtime, target)).id;
}

/**
 * The inputs with tables as read for an entry, where that was since this run began. A table has no versions: what an earlier run read of
 * it says nothing of now, but what another run read meanwhile is as good as what this one would read.
 */
async function asRead(
  { registry }: Runtime,
  target: RegisteredResource,
  entry: LedgerEntry,
  inputs: readonly DatasetInput[],
  run: string,
): Promise<readonly DatasetInput[]> {
  if (!inputs.some((input) => input.type === 'table')) return inputs;
  const began = (await registry.runs.get(run))?.startedAt;
  const read = await registry.runs.inputs(entry.run, target.id);
  return inputs.map((input) => {
    if (input.type !== 'table' || began === undefined) return input;
    const other = read.find((r) => r.type === 'table' && r.source === input.source);
    const isSince =
      other?.type === 'table' && Timestamp.from(other.readAt).micros >= Timestamp.from(began).micros;
    return isSince ? { ...input, readAt: other.readAt } : input;
  });
}

async function currentResult(
  runtime: Runtime,
  resources: Resources,
  target: RegisteredResource,
  entry: LedgerEntry,
): Promise<StepResult> {
  const rows = Number(entry.detail['rows'] ?? 0);
  if (entry.dataset === undefined || isKind(target, 'view')) {
    const online =
      isKind(target, 'view') && target.spec.online !== undefined
        ? runtime.providers.online(target.spec.online).description
        : undefined;
    return {
      step: target.id,
      outcome: 'current',
      rows,
      ms: {},
      ...(online === undefined ? {} : { location: online }),
    };
  }
  const dataset = await ensurePublished(runtime, await runtime.registry.datasets.get(entry.dataset));
  if (dataset.hasLatest) await projectLatest(runtime, target.id);
  return {
    step: target.id,
    outcome: 'current',
    rows,
    version: dataset.version,
    dataset: dataset.id,
    generation: dataset.generation,
    location: await locationOf(runtime, dataset),
    ms: {},
  };
}

/** Waits until the owner of an interval is closed or its result is valid; then the step is claimed again. */
export async function awaitOwner(
  runtime: Runtime,
  request: StepRequest,
  owner: RunRef,
  signal: AbortSignal,
): Promise<void> {
  const before = await runtime.registry.ledger.get(request.step.id, request.interval);
  await until(async () => {
    if (!(await isOpen(owner)) || (await runtime.registry.runs.isDone(owner.id, request.step.id)))
      return true;
    const entry = await runtime.registry.ledger.get(request.step.id, request.interval);
    return entry !== undefined && (entry.run !== before?.run || entry.generation !== before.generation);
  }, signal);
}
