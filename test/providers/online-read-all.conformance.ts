import { expect, it } from 'vitest';
import { decodeTimestamp } from '../../feast/timestamp.js';
import { decodeValue } from '../../feast/value-decoder.js';
import type { EntityRows, OnlineProvider, OnlineView, StoredRows } from '../../providers/online/provider.js';
import { type OnlineStoreUnderTest, T0, userView, writeRows } from './online-rows.js';

/** Rows of one feature, read from the places that the store gives. */
const decoded = ({ bytes, at, first, stride }: StoredRows, rows: number): unknown[] =>
  Array.from({ length: rows }, (_, i) => {
    const [timeStart = -1, timeEnd = -1, start = -1, end = -1] = at.subarray(first + i * stride);
    if (timeStart < 0) return undefined;
    const eventTime = decodeTimestamp(bytes.subarray(timeStart, timeEnd)) - T0;
    return [start < 0 ? undefined : decodeValue('int64', bytes.subarray(start, end)), eventTime];
  });

/** Every entity of a view in its order, as often as the store tells it: its keys, its feature and its time. */
async function everyone(pages: AsyncIterable<EntityRows>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { keys, rows } of pages)
    found.push(...decoded(rows, keys.length).map((row, i) => [...(keys[i] ?? []), ...(row as unknown[])]));
  return found.sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

/** Reading several views at once, and all entities of one. */
export function readAllConformance(store: OnlineStoreUnderTest, provider: OnlineProvider): void {
  it('reads several views at once, decoded and as stored: each in the order of its keys', async () => {
    const orders: OnlineView = userView({ name: 'orders' });
    const visits: OnlineView = { ...orders, name: 'visits' };
    const stores: OnlineView = userView({
      project: orders.project,
      name: 'stores',
      joinKeys: [{ name: 'store', type: 'string' }],
    });
    for (const view of [orders, visits, stores]) await provider.prepare(view);
    await writeRows(provider, orders, 1, [
      { id: 1n, event: 1, value: 11n },
      { id: 3n, event: 3, value: null },
    ]);
    await writeRows(provider, visits, 1, [{ id: 3n, event: 9, value: 2n ** 53n + 1n }]);
    await provider.write(stores, 1, {
      ...{ rows: 1, keys: [['S1']], values: [[-5n]], eventTimes: [T0], createdTimes: [null] },
      generations: [1],
    });
    const keys = [[1n], [2n], [3n]];
    const reads = [
      { view: orders, keys, features: ['f'] },
      { view: stores, keys: [['S1'], ['none']], features: ['f'] },
      { view: visits, keys, features: ['f'] },
      { view: visits, keys: [], features: ['f'] },
    ];
    const expected = [
      [[11n, 1n], undefined, [null, 3n]],
      [[-5n, 0n], undefined],
      [undefined, undefined, [2n ** 53n + 1n, 9n]],
      [],
    ];
    const rows = await provider.readAll(reads);
    expect(rows.map((list) => list.map((row) => row && [row.values[0], row.eventTime - T0]))).toEqual(
      expected,
    );
    const stored = await provider.readStored(reads);
    expect(stored.map((part, r) => decoded(part, reads[r]?.keys.length ?? 0))).toEqual(expected);
  });

  it('reads thousands of entities as stored, whatever the sizes of the pieces they come in', async () => {
    const view = userView();
    await provider.prepare(view);
    const ids = Array.from({ length: 6000 }, (_, i) => BigInt(i));
    await writeRows(
      provider,
      view,
      1,
      ids.filter((id) => id % 3n !== 0n).map((id) => ({ id, event: Number(id), value: id ** 4n })),
    );
    const keys = ids.map((id) => [id]);
    const readers = Array.from({ length: 5 }, () =>
      provider.readStored([{ view, keys, features: ['f', 'absent'] }]),
    );
    for (const [rows] of await Promise.all(readers))
      expect(rows && decoded(rows, keys.length)).toEqual(
        ids.map((id) => (id % 3n === 0n ? undefined : [id ** 4n, id])),
      );
  });

  it('lists all entities of a view, each once; none of another view, project, key, type or key version, and no tombstone', async () => {
    const view = userView();
    const older = store.openKeys2();
    const others: OnlineView[] = [
      { ...view, name: 'neighbour' },
      { ...view, project: `x_${view.project}` },
      { ...view, name: 'pairs', joinKeys: [...view.joinKeys, { name: 'merchant', type: 'string' }] },
      { ...view, name: 'small', joinKeys: [{ name: 'user_id', type: 'int32' }] },
    ];
    for (const one of [view, ...others]) await provider.prepare(one);
    expect(await everyone(provider.entities(view, ['f']))).toEqual([]);
    const ids = Array.from({ length: 2500 }, (_, i) => BigInt(i) - 2n ** 62n);
    await writeRows(provider, view, 1, [{ id: 7n, event: 1, value: 1n }]);
    await writeRows(
      provider,
      view,
      2,
      ids.map((id, i) => ({ id, event: i, value: i % 7 === 0 ? null : id })),
    );
    for (const [i, other] of others.entries())
      await provider.write(other, 1, {
        ...{ rows: 1, keys: other.joinKeys.map(({ name }) => (name === 'merchant' ? ['M'] : [900 + i])) },
        ...{ values: [[-5n]], eventTimes: [T0], createdTimes: [null], generations: [1] },
      });
    await writeRows(older, view, 1, [{ id: 5n, event: 1, value: 1n }]);
    await provider.fence(view, 2);
    await provider.removeBelow(view, 2, { eventTime: T0 });
    const expected = ids.map((id, i) => [id, i % 7 === 0 ? null : id, BigInt(i)]);
    expect(await everyone(provider.entities(view, ['f', 'absent']))).toEqual(
      expected.sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    );
    const pairs = others[2] ?? view;
    expect(await everyone(provider.entities(pairs, ['f']))).toEqual([[902n, 'M', -5n, 0n]]);
    for await (const { keys } of provider.entities(view, ['f'])) {
      expect(keys.length).toBeLessThan(2500);
      break;
    }
    await older.close();
  });
}
