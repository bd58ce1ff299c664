import { describe, expect, it } from 'vitest';
import { streamShard } from '../../activities/stream-shard.js';
import type { ColumnBatch } from '../../providers/columns.js';
import type { OnlineBatch, WriteCounts } from '../../providers/online/provider.js';
import { userView } from '../providers/online-rows.js';

const ROWS = 10;
const view = userView();
const nothing = { older: 0, unchanged: 0 };

/** A shard of `count` batches, and how far it was read. */
function batches(count: number): { read: () => AsyncIterable<ColumnBatch>; taken: number; closed: boolean } {
  const source = {
    taken: 0,
    closed: false,
    async *read(): AsyncGenerator<ColumnBatch> {
      try {
        for (; source.taken < count; source.taken++) {
          const numbers = Array.from({ length: ROWS }, (_, i) => BigInt(source.taken * ROWS + i));
          const times = numbers.map(() => 5n);
          yield await Promise.resolve({
            rows: ROWS,
            columns: [numbers, numbers, times, numbers, times, times],
          });
        }
      } finally {
        source.closed = true;
      }
    },
  };
  return source;
}

/** A store whose writes end when the test says so. */
function slowStore() {
  const open: { batch: OnlineBatch; end: () => void; fail: (error: Error) => void }[] = [];
  return {
    open,
    write: (_: unknown, __: number, batch: OnlineBatch) =>
      new Promise<WriteCounts>((resolve, reject) => {
        open.push({ batch, end: () => resolve({ written: batch.rows, ...nothing }), fail: reject });
      }),
  };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};
const { signal } = new AbortController();
const common = { view, promotion: 1, signal };

describe('streaming a shard', () => {
  it('reads ahead of the store by a batch or two, and no further', async () => {
    const session = batches(100);
    const online = slowStore();
    const stream = streamShard({ ...common, batches: session.read(), online }, () => Promise.resolve());
    await turns();
    expect(online.open).toHaveLength(2);
    expect(session.taken).toBeLessThanOrEqual(3);
    for (let i = 0; i < 100; i++) {
      online.open[i]?.end();
      await turns();
      expect(session.taken - i).toBeLessThanOrEqual(4);
    }
    await stream;
    expect(online.open.map(({ batch }) => batch.keys[0]?.[0])).toEqual(
      Array.from({ length: 100 }, (_, i) => BigInt(i * ROWS)),
    );
  });

  it('tells of a batch only once all rows up to its end are in the store', async () => {
    const online = slowStore();
    const heard: number[] = [];
    const stream = streamShard({ ...common, batches: batches(2).read(), online }, (rows, { written }) => {
      heard.push(rows, written);
      return Promise.resolve();
    });
    await turns();
    online.open[1]?.end();
    await turns();
    expect(heard).toEqual([]);
    online.open[0]?.end();
    await stream;
    expect(heard).toEqual([ROWS, ROWS, ROWS, ROWS]);
  });

  it.each([
    ['the first', 0],
    ['the second', 1],
  ])('ends with the error of %s write, after the other one has ended too', async (_, failing) => {
    const session = batches(5);
    const online = slowStore();
    const heard: number[] = [];
    let settled = false;
    const stream = streamShard({ ...common, batches: session.read(), online }, (rows) => {
      heard.push(rows);
      return Promise.resolve();
    }).finally(() => (settled = true));
    stream.catch(() => undefined);
    await turns();
    online.open[failing]?.fail(new Error('away'));
    await turns();
    expect(settled).toBe(false);
    online.open[1 - failing]?.end();
    // The batch that was read while the first was written may be on its way as well.
    await turns();
    online.open[2]?.end();
    await expect(stream).rejects.toThrow('away');
    expect(heard).toEqual(failing === 0 ? [] : [ROWS]);
    expect(session.closed).toBe(true);
  });

  it('sends nothing more once whoever hears of a batch refuses', async () => {
    const online = slowStore();
    const stream = streamShard({ ...common, batches: batches(5).read(), online }, () =>
      Promise.reject(new Error('not the owner any more')),
    );
    stream.catch(() => undefined);
    await turns();
    online.open[0]?.end();
    await turns();
    online.open[1]?.end();
    await expect(stream).rejects.toThrow('not the owner any more');
    expect(online.open).toHaveLength(2);
  });

  it('sends nothing more once it is aborted', async () => {
    const abort = new AbortController();
    const online = slowStore();
    const stream = streamShard({ ...common, batches: batches(5).read(), online, signal: abort.signal }, () =>
      Promise.resolve(),
    );
    stream.catch(() => undefined);
    await turns();
    abort.abort(new Error('cancelled'));
    online.open[0]?.end();
    await turns();
    online.open[1]?.end();
    await expect(stream).rejects.toThrow('cancelled');
    expect(online.open).toHaveLength(2);
  });
});
