import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { streamShard } from '../../activities/stream-shard.js';
import { shardRelation } from '../../providers/staged-shard.js';
import { ByteWriter } from '../../feast/byte-writer.js';
import type { OfflineSession } from '../../providers/offline/provider.js';
import type { OnlineBatch } from '../../providers/online/provider.js';
import { HsetEncoder } from './blind.js';
import { VIEW } from './data.js';

/** Writes the rows of staged shards as HSETs, for `redis-cli --pipe`; resolves to the number of bytes. */
export async function writePipeFile(
  session: OfflineSession,
  shards: readonly string[],
  file: string,
): Promise<number> {
  const out = createWriteStream(file);
  const encoder = new HsetEncoder(VIEW);
  const online = {
    async write(_: unknown, promotion: number, batch: OnlineBatch) {
      const writer = new ByteWriter(1 << 20);
      encoder.encode(writer, batch, promotion, 0, batch.rows);
      if (!out.write(writer.take())) await once(out, 'drain');
      return { written: batch.rows, older: 0, unchanged: 0 };
    },
  };
  const { signal } = new AbortController();
  for (const path of shards) {
    const shard = shardRelation(VIEW, { name: path, path, uri: path });
    await streamShard(
      { batches: session.read(shard, { fromRow: 0 }), online, view: VIEW, promotion: 1, signal },
      () => Promise.resolve(),
    );
  }
  out.end();
  await once(out, 'close');
  return out.bytesWritten;
}
