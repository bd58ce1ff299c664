import { readFile } from 'node:fs/promises';
import { isRaw } from '../definitions/contract.js';
import { feastProject } from '../definitions/project.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { crashPoint } from './crash-points.js';
import { datasetInput, inputsHash, type DatasetInput } from '../registry/dataset.js';
import type { Ledger } from '../registry/ledger.js';
import type { CheckCounts, LoadCounts, StagedLoad, StepRequest, StepResult } from './messages.js';
import { checkContents, storeReplaced } from './online-contents.js';
import { requireUnmoved, retireReplaced, viewAtWork } from './promotion.js';
import { onlineStoreOf } from '../registry/online-view.js';
import { collectTombstones } from './refresh.js';
import type { Runtime } from './runtime.js';

/** Records in the ledger that the loaded versions are in the online store, under the run's token. */
export async function recordLoad(
  runtime: Runtime,
  request: StepRequest,
  load: StagedLoad,
  counts: readonly LoadCounts[],
): Promise<StepResult> {
  const { run, step, interval } = request;
  const { registry } = runtime;
  const view = viewAtWork(await registry.resources.all(), request);
  requireUnmoved(runtime, view, load);
  const online = runtime.providers.online(onlineStoreOf(view));
  const project = feastProject(runtime.scope);
  const sum = (key: 'written' | 'older' | 'unchanged'): number =>
    counts.reduce((n, count) => n + count[key], 0);
  const detail = {
    rows: load.rows,
    written: sum('written'),
    older: sum('older'),
    unchanged: sum('unchanged'),
  };
  const inputs = await stagedInputs(runtime.providers, load);
  // The record may be there and its answer lost; by now another run may own the interval.
  const known = await registry.ledger.get(step.id, interval);
  if (known?.run !== run.id || known.storeId !== load.storeId) {
    const token = await registry.ownership.nextToken({ target: step.id, interval }, run);
    const receipt = await registry.ledger.nextReceipt();
    const entries = await ledgerEntries(runtime, request, inputs, {
      storeId: load.storeId,
      detail,
      fingerprint: view.fingerprint,
      receipt,
    });
    await crashPoint('load.before-receipt');
    await checkContents(runtime, view, load);
    const state = { id: load.storeId, server: load.server ?? (await online.state(project)).server };
    if (!(await online.acknowledge(project, view.location, state, receipt)))
      throw storeReplaced(online, view);
    await crashPoint('load.before-record');
    const claim = { target: step.id, interval };
    await registry.ownership.commit(claim, run, token, async (tx) => {
      if (request.promotion) await registry.promotions.switch(tx, request.promotion, claim, run);
      // A refresh that began since would take for loaded what lies there under a lower number, and remove it.
      else requireUnmoved(runtime, { ...view, ...(await registry.resources.place(tx, view.id)) }, load);
      await registry.ledger.recordLoads(tx, entries);
    });
  }
  await crashPoint('load.after-record');
  if (!request.promotion && !request.refresh) {
    if (await isWhole(runtime, request)) await retireReplaced(runtime, view);
    await collectTombstones(runtime, view);
  }
  await registry.resources.mark(step.id, 'READY');
  const result: StepResult = {
    step: step.id,
    outcome: 'made',
    rows: load.rows,
    location: online.description,
    ms: { stage: load.ms, load: Math.max(0, ...counts.map((count) => count.ms)) },
    loaded: {
      written: detail.written,
      older: detail.older,
      unchanged: detail.unchanged,
      shards: load.shards.length,
      resumed: counts.filter((count) => count.resumedAt > 0).length,
    },
    ...(counts.every(({ check }) => check === undefined) ? {} : { check: sumChecks(counts) }),
    ...(load.valid === undefined
      ? {}
      : {
          intervals: {
            loaded: inputs.filter(({ type }) => type === 'dataset').length,
            valid: load.valid,
          },
        }),
  };
  // A refresh is not done with it yet; what takes away has no counts of its own.
  if (request.refresh) await registry.runs.noteResult(run.id, step.id, result);
  else await registry.runs.setStep(run.id, step.id, 'COMPLETED', result);
  return result;
}

/**
 * Whether a load has brought all that the view has: what it did not bring bears the number from before a refresh, and would be removed. A version
 * of a source without timestamps is whole, but only the newest is the view's.
 */
async function isWhole({ registry }: Runtime, { step, interval }: StepRequest): Promise<boolean> {
  const resources = await registry.resources.all();
  const { spec } = resourceOf(resources, resourceOf(resources, step.id, 'view').spec.source, 'source');
  if (isRaw(spec) || spec.timestampField !== undefined) return true;
  const last = (await registry.ledger.of(step.id)).at(-1)?.interval.end ?? interval.end;
  return Timestamp.from(last).micros <= Timestamp.from(interval.end).micros;
}

function sumChecks(counts: readonly LoadCounts[]): CheckCounts {
  const sum = (key: keyof CheckCounts): number => counts.reduce((n, { check }) => n + (check?.[key] ?? 0), 0);
  return {
    compared: sum('compared'),
    newer: sum('newer'),
    missing: sum('missing'),
    different: sum('different'),
  };
}

/** What was staged: kept beside the shards. */
async function stagedInputs(
  providers: Runtime['providers'],
  { store, table, versions }: StagedLoad,
): Promise<readonly DatasetInput[]> {
  if (table !== undefined)
    return (await providers.offline(store).stagedDetail(table)) as readonly DatasetInput[];
  const path = await providers.files(store).localPath(versions.path, { sha256: versions.sha256 });
  return JSON.parse(await readFile(path, 'utf8')) as readonly DatasetInput[];
}

/** One entry for the run's interval, and one for each other interval whose version was in the load. */
async function ledgerEntries(
  { registry }: Runtime,
  { run, step, interval }: StepRequest,
  inputs: readonly DatasetInput[],
  {
    detail,
    ...made
  }: {
    readonly detail: Readonly<Record<string, number>>;
    readonly storeId: string;
    readonly fingerprint: string;
    readonly receipt: number;
  },
): Promise<Parameters<Ledger['recordLoads']>[1]> {
  const datasets = await Promise.all(
    inputs.flatMap((input) => (input.type === 'dataset' ? [registry.datasets.get(input.dataset)] : [])),
  );
  const common = { target: step.id, run: run.id, ...made };
  const others = datasets
    .filter((dataset) => dataset.interval.start !== interval.start || dataset.interval.end !== interval.end)
    .map((dataset) => ({
      ...common,
      interval: dataset.interval,
      generation: dataset.generation,
      dataset: dataset.id,
      inputsHash: inputsHash([datasetInput(dataset)]),
      detail: { rows: dataset.rows },
    }));
  const pinned = await registry.runs.inputs(run.id, step.id);
  const own = pinned.find((input) => input.type === 'dataset');
  const mine = datasets.find((dataset) => own?.type === 'dataset' && dataset.id === own.dataset);
  return [
    ...others,
    {
      ...common,
      interval,
      generation: mine?.generation ?? 0,
      dataset: mine?.id,
      inputsHash: inputsHash(pinned),
      detail,
    },
  ];
}
