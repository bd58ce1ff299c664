import type { ColumnBatch } from '../providers/columns.js';
import type { OnlineProvider, OnlineView, WriteCounts } from '../providers/online/provider.js';
import { toOnline } from '../providers/staged-shard.js';

/** Batches whose rows are on their way into the store: while it works on one, the next is read and encoded. */
const WRITES_AHEAD = 2;

/** What to load, and where from and to. */
export interface ShardStream {
  /** The shard's rows from where the load goes on; columns as STAGED_COLUMNS says. */
  readonly batches: AsyncIterable<ColumnBatch>;
  readonly online: Pick<OnlineProvider, 'write'>;
  readonly view: OnlineView;
  readonly promotion: number;
  readonly signal: AbortSignal;
}

/**
 * Streams a staged shard into an online store, in constant memory. `acknowledged` hears of the batches in the order of
 * the rows, each once the store has taken all rows up to its end; the stream goes on when it resolves. No write is
 * under way any more when this settles.
 */
export async function streamShard(
  { batches, online, view, promotion, signal }: ShardStream,
  acknowledged: (rows: number, counts: WriteCounts) => Promise<void>,
): Promise<void> {
  const ahead: { readonly rows: number; readonly write: Promise<WriteCounts> }[] = [];
  const settleFirst = async (): Promise<void> => {
    const first = ahead[0];
    if (!first) return;
    const counts = await first.write;
    ahead.shift();
    await acknowledged(first.rows, counts);
  };
  try {
    for await (const batch of batches) {
      if (ahead.length === WRITES_AHEAD) await settleFirst();
      signal.throwIfAborted();
      const write = online.write(view, promotion, toOnline(batch, view));
      // Heard when its turn comes; until then a failure must not count as one that nobody handles.
      write.catch(() => undefined);
      ahead.push({ rows: batch.rows, write });
    }
    while (ahead.length > 0) await settleFirst();
  } finally {
    await Promise.allSettled(ahead.map(({ write }) => write));
  }
}
