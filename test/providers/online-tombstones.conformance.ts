import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OnlineOrder, OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { readValue, T0, type TestRow, userView, writeRows } from './online-rows.js';

/** What a removal leaves behind, so that an older row that comes later does not bring an entity back. */
export function tombstoneConformance(provider: OnlineProvider): void {
  const at = (event: number): { eventTime: bigint } => ({ eventTime: T0 + BigInt(event) });
  const rows = (count: number, event: number): TestRow[] =>
    Array.from({ length: count }, (_, i) => ({ id: BigInt(i), event, value: BigInt(i) }));
  /** 300 entities of promotion 1, of which 5 are then loaded under promotion 2, and the others removed at the event time 10. */
  const refreshed = async (overrides: Partial<OnlineView> = {}): Promise<OnlineView> => {
    const view = userView(overrides);
    await provider.prepare(view);
    expect(await writeRows(provider, view, 1, rows(300, 0))).toBe('300w 0o 0u');
    expect(await writeRows(provider, view, 2, rows(5, 0))).toBe('5w 0o 0u');
    await provider.fence(view, 2);
    expect(await provider.removeBelow(view, 2, at(10))).toBe(295);
    return view;
  };

  describe('tombstones', () => {
    it('are no rows to readers, and a second removal finds nothing', async () => {
      const view = await refreshed();
      expect(await provider.read(view, [[4n], [5n]], ['f'])).toMatchObject([{ values: [4n] }, undefined]);
      expect(await provider.removeBelow(view, 2, at(10))).toBe(0);
    });

    const cases: readonly [string, number, Omit<TestRow, 'value'>, string][] = [
      ['an older row changes nothing', 2, { event: 9 }, 'older'],
      ['a row at their very order changes nothing', 2, { event: 10, created: null, generation: 0 }, 'older'],
      ['created before 1970 at the same event time is older', 2, { event: 10, created: -2e15 }, 'older'],
      ['a row of their event time is newer by its generation', 2, { event: 10, generation: 1 }, 'written'],
      [
        'created later at the same event time is newer',
        2,
        { event: 10, created: 1, generation: 0 },
        'written',
      ],
      ['a row a microsecond later is newer', 2, { event: 11 }, 'written'],
      ['a row 2^32 microseconds later is newer', 2, { event: 2 ** 32 }, 'written'],
      ['a higher promotion wins, however old', 3, { event: -99 }, 'written'],
      ['a lower promotion is fenced off', 1, { event: 99 }, 'older'],
    ];
    it.each(cases)('%s', async (_, promotion, row, outcome) => {
      const view = await refreshed();
      expect(await writeRows(provider, view, promotion, [{ id: 7n, value: 70n, ...row }])).toBe(
        outcome === 'written' ? '1w 0o 0u' : '0w 1o 0u',
      );
      expect(await readValue(provider, view, 7n)).toBe(outcome === 'written' ? 70n : undefined);
    });

    it('give their place to the row that is written: from then on its own order counts', async () => {
      const view = await refreshed();
      expect(await writeRows(provider, view, 2, [{ id: 7n, event: 20, value: 1n }])).toBe('1w 0o 0u');
      expect(await writeRows(provider, view, 2, [{ id: 7n, event: 20, value: 2n }])).toBe('0w 0o 1u');
      expect(await writeRows(provider, view, 2, [{ id: 7n, event: 15, value: 3n }])).toBe('0w 1o 0u');
      expect(await provider.collectTombstones(view, T0 + 11n)).toBe(294);
      expect(await readValue(provider, view, 7n)).toBe(1n);
    });

    it('are collected when they are from before an instant, and then hold nothing off', async () => {
      const view = await refreshed();
      const sibling = await refreshed({ project: view.project, name: 'sibling' });
      expect(await provider.collectTombstones(view, T0 + 10n)).toBe(0);
      expect(await writeRows(provider, view, 2, [{ id: 7n, event: 9, value: 1n }])).toBe('0w 1o 0u');
      expect(await provider.collectTombstones(view, T0 + 11n)).toBe(295);
      expect(await provider.collectTombstones(view, T0 + 11n)).toBe(0);
      expect(await writeRows(provider, view, 2, [{ id: 7n, event: 9, value: 1n }])).toBe('1w 0o 0u');
      expect(await readValue(provider, view, 4n)).toBe(4n);
      expect(await writeRows(provider, sibling, 2, [{ id: 7n, event: 9, value: 1n }])).toBe('0w 1o 0u');
    });

    it('are replaced by those of a later removal, and taken away by one that leaves none', async () => {
      const view = await refreshed();
      await provider.fence(view, 3);
      expect(await provider.removeBelow(view, 3, at(20))).toBe(5);
      expect(await writeRows(provider, view, 3, [{ id: 7n, event: 15, value: 1n }])).toBe('0w 1o 0u');
      await provider.fence(view, 4);
      expect(await provider.removeBelow(view, 4)).toBe(0);
      expect(await writeRows(provider, view, 4, [{ id: 7n, event: -9, value: 1n }])).toBe('1w 0o 0u');
      expect(await provider.collectTombstones(view, T0 + 99n)).toBe(0);
    });

    it('go with the view that is removed', async () => {
      const view = await refreshed();
      await provider.remove(view, () => Promise.resolve(true));
      await provider.prepare(view);
      expect(await writeRows(provider, view, 1, [{ id: 7n, event: -9, value: 1n }])).toBe('1w 0o 0u');
      expect(await provider.collectTombstones(view, T0 + 99n)).toBe(0);
    });

    it('hold off in a batch what is older, and let through what is newer, in any order', async () => {
      const order = fc.record({
        event: fc.integer({ min: 8, max: 12 }),
        created: fc.option(fc.integer({ min: 0, max: 2 })),
        generation: fc.integer({ min: 0, max: 2 }),
      });
      const view = await refreshed();
      let id = 5n;
      await fc.assert(
        fc.asyncProperty(fc.array(order, { minLength: 1, maxLength: 6 }), async (orders) => {
          const own = id++;
          const batch = orders.map((row, i) => ({ ...row, id: own, value: BigInt(i) }));
          for (const row of batch) await writeRows(provider, view, 2, [row]);
          const best = batch.map(orderOf).sort(compare).at(-1);
          const tombstone = { promotion: 2, ...at(10), createdTime: 0n, generation: 0 };
          const [stored] = await provider.read(view, [[own]], ['f']);
          const wins = best !== undefined && compare(best, tombstone) > 0;
          expect(stored?.order).toEqual(wins ? best : undefined);
        }),
        { numRuns: 60 },
      );
    });
  });
}

const orderOf = (row: TestRow): OnlineOrder => ({
  promotion: 2,
  eventTime: T0 + BigInt(row.event),
  createdTime: row.created === null || row.created === undefined ? 0n : T0 + BigInt(row.created),
  generation: row.generation ?? 1,
});

function compare(a: OnlineOrder, b: OnlineOrder): number {
  const [x, y] = [a, b].map((o) => [BigInt(o.promotion), o.eventTime, o.createdTime, BigInt(o.generation)]);
  const at = (x ?? []).findIndex((value, i) => value !== y?.[i]);
  return at < 0 ? 0 : (x?.[at] ?? 0n) > (y?.[at] ?? 0n) ? 1 : -1;
}
