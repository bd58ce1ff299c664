/**
 * A process that loads staged shards, as the load activity does, and sends what it took. Started by bench/materialize.ts
 * once a measurement, so that its peak memory is that of the load alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { streamShard } from '../../activities/stream-shard.js';
import { shardRelation } from '../../providers/staged-shard.js';
import type { OfflineSession } from '../../providers/offline/provider.js';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { BlindStore } from './blind.js';
import { stageFile, VIEW } from './data.js';

/** What the parent asks for. */
export interface LoadRequest {
  readonly url: string;
  /** Staged shards; or a Parquet file, which is staged first, as the stage activity does. */
  readonly from: { readonly shards: readonly string[] } | { readonly parquet: string };
  readonly blind: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly seconds: number;
  /** CPU seconds of the process, the engine's threads among them. */
  readonly cpu: number;
  readonly peakMiB: number;
  readonly written: number;
  readonly older: number;
  readonly unchanged: number;
}

async function load({ url, from, blind }: LoadRequest): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'granary-bench-load-'));
  const { signal } = new AbortController();
  const online = blind ? await BlindStore.open(url, VIEW) : redisOnlineProvider({ url });
  const total = { written: 0, older: 0, unchanged: 0 };
  const began = performance.now();
  const cpu = process.cpuUsage();
  const open = (): Promise<OfflineSession> =>
    duckdbOfflineProvider().open({
      scratch: join(folder, 'spill'),
      memoryLimit: '1GiB',
      threads: availableParallelism(),
      signal,
    });
  for (const path of 'shards' in from ? from.shards : await stage(from.parquet)) {
    const session = await open();
    const shard = shardRelation(VIEW, { name: 'shard', path, uri: path });
    await streamShard(
      { batches: session.read(shard, { fromRow: 0 }), online, view: VIEW, promotion: 1, signal },
      async (_, counts) => {
        total.written += counts.written;
        total.older += counts.older;
        total.unchanged += counts.unchanged;
        return Promise.resolve();
      },
    );
    await session.close();
  }
  async function stage(parquet: string): Promise<readonly string[]> {
    const session = await open();
    try {
      return await stageFile(session, parquet, folder);
    } finally {
      await session.close();
    }
  }
  const seconds = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  await online.close();
  await rm(folder, { recursive: true, force: true });
  return {
    seconds,
    cpu: (used.user + used.system) / 1e6,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    ...total,
  };
}

process.once('message', (request: LoadRequest) => {
  void load(request).then((result) => {
    process.send?.(result);
    process.disconnect();
  });
});
