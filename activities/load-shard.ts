import { GranaryError } from '../definitions/errors.js';
import { checkShard, sampleEvery } from './check-shard.js';
import { crashPoint } from './crash-points.js';
import type { CheckCounts, LoadCheckpoint, LoadCounts, StagedLoad, StepRequest } from './messages.js';
import { checkContents } from './online-contents.js';
import { requireUnmoved, viewAtWork } from './promotion.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import type { ColumnBatch } from '../providers/columns.js';
import { withEngine, withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';
import { shardRelation } from '../providers/staged-shard.js';
import { streamShard } from './stream-shard.js';

/**
 * Streams one staged shard into the online store. Newer wins in the store itself, so that loads may overlap and repeat. A retry resumes
 * after the last acknowledged group, unless the shard's bytes or the store's contents are others than those it was loading.
 * @throws GranaryError `StoreReplaced` when the store was emptied under the load: the workflow then stages everything again.
 */
export async function loadShard(
  runtime: Runtime,
  request: StepRequest,
  load: StagedLoad,
  shard: number,
  attempt: Attempt,
): Promise<LoadCounts> {
  const started = performance.now();
  const resources = await runtime.registry.resources.all();
  const view = viewAtWork(resources, request);
  requireUnmoved(runtime, view, load);
  const online = runtime.providers.online(onlineStoreOf(view));
  const staged = load.shards[shard];
  if (!staged) throw new GranaryError('Internal', `The load has no shard ${shard}.`);
  await checkContents(runtime, view, load);
  const target = onlineView(runtime.scope, view);
  const resumed = resumeAt(attempt.checkpoint, load, shard, staged.sha256);
  const counts = { ...resumed };
  /** Whoever has been overtaken stops here. */
  const confirmOwner = async (): Promise<void> => {
    if (load.token === undefined) return;
    const claim = { target: request.step.id, interval: request.interval };
    await runtime.registry.ownership.confirm(claim, request.run, load.token);
  };
  const stream = async (batches: AsyncIterable<ColumnBatch>, at: Attempt): Promise<void> => {
    let kept = resumed.row;
    const settings = { batches, online, view: target, promotion: view.promotion, signal: at.signal };
    await streamShard(settings, async (rows, { written, older, unchanged }) => {
      counts.row += rows;
      counts.written += written;
      counts.older += older;
      counts.unchanged += unchanged;
      if (counts.row - kept < runtime.load.rowsPerGroup) return;
      kept = counts.row;
      at.keep({
        v: 1,
        step: request.step.id,
        storeId: load.storeId,
        sha256: staged.sha256,
        shard,
        ...counts,
      } satisfies LoadCheckpoint);
      await crashPoint('load.after-group');
      await confirmOwner();
    });
  };
  const every = sampleEvery(load, shard);
  const check = async (batches: AsyncIterable<ColumnBatch>, at: Attempt): Promise<CheckCounts> => {
    await crashPoint('load.before-check');
    return await checkShard({
      ...{ name: view.name, batches, online, view: target, promotion: view.promotion, signal: at.signal },
      confirm: async () => {
        requireUnmoved(runtime, viewAtWork(await runtime.registry.resources.all(), request), load);
        await checkContents(runtime, view, load);
        await confirmOwner();
      },
    });
  };
  let checked: CheckCounts;
  const { table } = load;
  if (table !== undefined)
    checked = await withTables(runtime, request, attempt, load.store, async (session, at) => {
      const shape = { ...view.spec, name: view.name };
      await stream(session.readShard(shape, { table, shard, fromRow: resumed.row }), at);
      return await check(session.readShard(shape, { table, shard, fromRow: 0, every }), at);
    });
  else {
    const store = runtime.providers.files(load.store);
    const path = await store.localPath(staged.path, { sha256: staged.sha256, signal: attempt.signal });
    const relation = shardRelation(target, {
      name: `shard ${shard} of ${view.name}`,
      path,
      uri: store.uri(staged.path),
    });
    checked = await withEngine(runtime, request, attempt, async (session, _folder, at) => {
      await stream(session.read(relation, { fromRow: resumed.row }), at);
      return await check(session.read(relation, { fromRow: 0, every }), at);
    });
  }
  await checkContents(runtime, view, load);
  return {
    shard,
    written: counts.written,
    older: counts.older,
    unchanged: counts.unchanged,
    resumedAt: resumed.row,
    ms: Math.round(performance.now() - started),
    check: checked,
  };
}

type Progress = Pick<LoadCheckpoint, 'row' | 'written' | 'older' | 'unchanged'>;

function resumeAt(checkpoint: unknown, load: StagedLoad, shard: number, sha256: string): Progress {
  const kept = checkpoint as Partial<LoadCheckpoint> | undefined;
  const fits =
    kept?.v === 1 && kept.storeId === load.storeId && kept.sha256 === sha256 && kept.shard === shard;
  return fits
    ? {
        row: kept.row ?? 0,
        written: kept.written ?? 0,
        older: kept.older ?? 0,
        unchanged: kept.unchanged ?? 0,
      }
    : { row: 0, written: 0, older: 0, unchanged: 0 };
}
