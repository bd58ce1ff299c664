import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inDatabase, isRaw, type Resource } from '../definitions/contract.js';
import { isAllTime } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { datasetInput, type DatasetInput } from '../registry/dataset.js';
import { crashPoint } from './crash-points.js';
import { BEGINNING } from '../definitions/window.js';
import type { Bounds } from '../providers/offline/source-relation.js';
import { cut, verifySources } from './inputs.js';
import type { StagedLoad, StagedRef, StepRequest } from './messages.js';
import { newestRows } from '../providers/offline/newest-rows.js';
import { onlineContents } from './online-contents.js';
import { isUnsettled, viewAtWork } from './promotion.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import { beginRefresh } from './refresh.js';
import { recordedVersions } from '../registry/recorded-versions.js';
import { relationOf } from './relations.js';
import { withEngine, type Runtime } from './runtime.js';
import { stageInTable } from './stage-online-table.js';
import { stagingFolder, writtenStores } from './staging.js';
import type { Attempt } from './step.js';

/**
 * Writes the newest row per entity of whatever the online store does not have yet into shards. That is the run's version, and after the
 * store was emptied (its id changed) every current version.
 */
export async function stageOnline(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
): Promise<StagedLoad> {
  const started = performance.now();
  const { run, step, interval } = request;
  const token = await runtime.registry.ownership.nextToken({ target: step.id, interval }, run);
  await beginRefresh(runtime, request, token);
  const resources = await runtime.registry.resources.all();
  const view = viewAtWork(resources, request);
  const source = resourceOf(resources, view.spec.source, 'source');
  const online = runtime.providers.online(onlineStoreOf(view));
  const { id: storeId, server } = await onlineContents(runtime, view);
  await online.prepare(onlineView(runtime.scope, view));
  const whole = await isUnsettled(runtime, view);
  const { inputs, valid } = await inputsToLoad(runtime, request, { view, source, storeId, whole });
  const rows = whole ? await allRows(runtime, source, request) : rowsToLoad(source, request);
  const eventTime = isAllTime(interval) ? await readInstant(runtime, request, inputs) : interval.end;
  if (inDatabase(source.spec))
    return {
      ...(await stageInTable(runtime, request, attempt, {
        view,
        source,
        inputs,
        eventTime,
        token,
        rows,
        store: { id: storeId, server },
      })),
      ...valid,
    };
  // With the source where runs write it, else where the project's runs write first: a raw source's store may be read-only.
  const storeName =
    source.spec.type === 'file'
      ? (writtenStores(resources.values())[0] ?? source.spec.store)
      : source.spec.store;
  const store = runtime.providers.files(storeName);
  return await withEngine(runtime, request, attempt, async (session, folder, at) => {
    const engine = { session, folder, signal: at.signal };
    const relation = await relationOf(runtime, source, inputs, engine, rows);
    await session.inspect(relation);
    const shardFolder = join(folder, 'shards');
    await mkdir(shardFolder);
    const { rowsPerShard, rowsPerGroup } = runtime.load;
    const shards = await session.stageNewest({
      ...newestRows(view, source, { relation, eventTime, rowsPerShard }),
      rowsPerGroup,
      folder: shardFolder,
    });
    await verifySources(runtime, resources, inputs);
    await crashPoint('stage.before-stage');
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const staged: (StagedRef & { rows: number })[] = [];
    for (const shard of shards) {
      const path = `${stagingFolder(run.id, view, token)}/${shard.file}`;
      staged.push({
        ...(await store.stage(join(shardFolder, shard.file), path, { signal: at.signal })),
        rows: shard.rows,
      });
    }
    // Pinned with the rows: a version that is committed from now on is not among them.
    await writeFile(join(folder, 'versions.json'), JSON.stringify(inputs));
    const versions = await store.stage(
      join(folder, 'versions.json'),
      `${stagingFolder(run.id, view, token)}/versions.json`,
      { signal: at.signal },
    );
    await crashPoint('stage.after-stage');
    return {
      store: storeName,
      location: view.location,
      promotion: view.promotion,
      token,
      storeId,
      server,
      shards: staged,
      versions,
      rows: shards.reduce((n, shard) => n + shard.rows, 0),
      ms: Math.round(performance.now() - started),
      ...valid,
    };
  });
}

/** The rows of a raw source that a load takes: those of the window that was asked for, else those before the interval's end. */
const rowsToLoad = (source: Resource<'source'>, { interval, window }: StepRequest): Bounds =>
  cut(source, interval, window === undefined || window.start === BEGINNING ? undefined : window.start);

/** The rows of a raw source up to where the view was loaded last, or further where the run's interval ends later. */
async function allRows(
  { registry }: Runtime,
  source: Resource<'source'>,
  { step, interval }: StepRequest,
): Promise<Bounds> {
  const last = (await registry.ledger.of(step.id)).at(-1)?.interval ?? interval;
  return cut(source, Timestamp.from(last.end).micros > Timestamp.from(interval.end).micros ? last : interval);
}

/** The run's pinned input, and every current version of its source that the store's contents lack; of a window only what lies in it. */
async function inputsToLoad(
  runtime: Runtime,
  { run, step, window, promotion }: StepRequest,
  of: {
    readonly view: Resource<'view'>;
    readonly source: Resource<'source'>;
    readonly storeId: string;
    readonly whole: boolean;
  },
): Promise<{ readonly inputs: readonly DatasetInput[]; readonly valid: { readonly valid?: number } }> {
  const { view, source, storeId, whole } = of;
  const pinned = await runtime.registry.runs.inputs(run.id, step.id);
  if (isRaw(source.spec) || source.spec.timestampField === undefined) return { inputs: pinned, valid: {} };
  const { missing, valid } = await recordedVersions(runtime.registry, view, source, {
    ...{ storeId, window: whole ? undefined : window },
    // A promotion loads everything: what is loaded lies under another name.
    all: promotion !== undefined,
  });
  const known = new Set(missing.map(({ id }) => id));
  const others = pinned.filter((input) => input.type !== 'dataset' || !known.has(input.dataset));
  const again = new Set(others.map((input) => (input.type === 'dataset' ? input.dataset : '')));
  return {
    inputs: [...missing.map(datasetInput), ...others],
    valid: step.interval === undefined ? {} : { valid: valid.filter(({ id }) => !again.has(id)).length },
  };
}

/** The instant at which a view's source was read outside a pipeline: recorded once, so that a retry writes the same. */
async function readInstant(
  { registry }: Runtime,
  { run }: StepRequest,
  inputs: readonly DatasetInput[],
): Promise<string> {
  const instants: string[] = [];
  for (const input of inputs) {
    if (input.type === 'table') instants.push(input.readAt);
    if (input.type === 'dataset') instants.push((await registry.datasets.get(input.dataset)).committedAt);
  }
  const newest = instants
    .map((text) => Timestamp.from(text))
    .sort((a, b) => (a.micros < b.micros ? 1 : -1))[0];
  return newest?.toString() ?? (await registry.runs.get(run.id))?.startedAt ?? (await registry.runs.clock());
}
