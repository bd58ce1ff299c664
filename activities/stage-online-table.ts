import { createHash } from 'node:crypto';
import type { Resource } from '../definitions/contract.js';
import type { Bounds } from '../providers/offline/source-relation.js';
import type { DatasetInput } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { crashPoint } from './crash-points.js';
import type { StagedLoad, StepRequest } from './messages.js';
import { newestRows } from '../providers/offline/newest-rows.js';
import { tableOf } from './relations.js';
import { withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';

/** What {@link stageInTable} works on. */
export interface TableStaging {
  readonly view: Resource<'view'> & RegisteredResource;
  readonly source: Resource<'source'>;
  readonly inputs: readonly DatasetInput[];
  /** Event time of the rows of a view without timestamps; ISO-8601. */
  readonly eventTime: string;
  readonly token: number;
  /** The rows of a raw source that are loaded. */
  readonly rows: Bounds;
  readonly store: { readonly id: string; readonly server: string };
}

/**
 * Stages the newest row per entity in a table of the database that the source lies in. Any worker can load it from there, and resume a
 * load: it takes no file store.
 */
export async function stageInTable(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
  { view, source, inputs, eventTime, token, rows, store }: TableStaging,
): Promise<StagedLoad> {
  const started = performance.now();
  const { run, step, interval } = request;
  const { store: database } = source.spec;
  return await withTables(runtime, request, attempt, database, async (session) => {
    const relation = await tableOf(runtime, source, inputs, rows);
    await crashPoint('stage.before-stage');
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const { table, shards } = await session.stageNewest(
      newestRows(view, source, { relation, eventTime, rowsPerShard: runtime.load.rowsPerShard }),
      { run: run.id, target: step.id, token },
      inputs,
    );
    await crashPoint('stage.after-stage');
    // A table is written once, under a name that no other attempt has: the name stands for its contents.
    const reference = (shard: string): { path: string; bytes: number; sha256: string } => ({
      path: `${table}#${shard}`,
      bytes: 0,
      sha256: createHash('sha256').update(`${table}#${shard}`).digest('hex'),
    });
    return {
      store: database,
      table,
      location: view.location,
      promotion: view.promotion,
      token,
      storeId: store.id,
      server: store.server,
      shards: shards.map((count, shard) => ({ ...reference(String(shard)), rows: count })),
      versions: reference('versions'),
      rows: shards.reduce((sum, count) => sum + count, 0),
      ms: Math.round(performance.now() - started),
    };
  });
}
