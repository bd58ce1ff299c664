import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import {
  type OnlineStoreUnderTest,
  readValue,
  T0,
  type TestRow,
  userView,
  writeRows,
} from './online-rows.js';

/** The order rule: which row of an entity stays, whatever the order and the number of the writers. */
export function newerWinsConformance(store: OnlineStoreUnderTest, provider: OnlineProvider): void {
  const newView = async (overrides: Partial<OnlineView> = {}): Promise<OnlineView> => {
    const view = userView(overrides);
    await provider.prepare(view);
    return view;
  };

  describe('newer wins', () => {
    type Step = readonly [promotion: number, row: Omit<TestRow, 'value'>];
    const greater: [string, Step, Step][] = [
      ['a later event time', [1, { event: 0 }], [1, { event: 1 }]],
      ['an event time a second later', [1, { event: 0 }], [1, { event: 1_000_000 }]],
      ['an event time 2^32 microseconds later', [1, { event: 5 }], [1, { event: 2 ** 32 }]],
      [
        'a correction: the same event time, created later',
        [1, { event: 0, created: 1 }],
        [1, { event: 0, created: 2 }],
      ],
      ['a created time over none', [1, { event: 0, created: null }], [1, { event: 0, created: 1 }]],
      ['a higher generation', [1, { event: 0, generation: 1 }], [1, { event: 0, generation: 2 }]],
      ['a generation above 2^32', [1, { event: 0, generation: 7 }], [1, { event: 0, generation: 2 ** 33 }]],
      [
        'a higher promotion, even with an older row',
        [1, { event: 9, created: 9, generation: 9 }],
        [2, { event: 0 }],
      ],
      ['a promotion of bytes that a text compares wrongly', [127, { event: 0 }], [128, { event: 0 }]],
      ['a later event time, created earlier', [1, { event: 0, created: 9 }], [1, { event: 1, created: 1 }]],
      [
        'created later, of an older generation',
        [1, { event: 0, created: 1, generation: 9 }],
        [1, { event: 0, created: 2 }],
      ],
      ['an event after 1970 over one before', [1, { event: -2e15 }], [1, { event: 0 }]],
      ['an event before 1970 over an earlier one', [1, { event: -2e15 - 1 }], [1, { event: -2e15 }]],
      ['an event in the year 9999', [1, { event: 0 }], [1, { event: 251_634_000_000_000_000 }]],
    ];

    it.each(greater)('%s', async (_, less, more) => {
      const view = await newView();
      const put = ([promotion, row]: Step, value: bigint): Promise<string> =>
        writeRows(provider, view, promotion, [{ ...row, value }]);
      expect(await put(less, 1n)).toBe('1w 0o 0u');
      expect(await put(less, 99n)).toBe('0w 0o 1u');
      expect(await readValue(provider, view)).toBe(1n);
      expect(await put(more, 2n)).toBe('1w 0o 0u');
      expect(await readValue(provider, view)).toBe(2n);
      expect(await put(less, 1n)).toBe('0w 1o 0u');
      expect(await put(more, 99n)).toBe('0w 0o 1u');
      expect(await readValue(provider, view)).toBe(2n);
    });

    it('counts rows that are newer, older and equal in one batch', async () => {
      const view = await newView();
      const at = (id: number, event: number): TestRow => ({ id: BigInt(id), event, value: BigInt(event) });
      await writeRows(provider, view, 1, [at(1, 5), at(2, 5), at(3, 5), at(4, 5)]);
      const batch = [at(1, 6), at(2, 5), at(3, 4), at(4, 7), at(5, 1), at(6, 1)];
      expect(await writeRows(provider, view, 1, batch)).toBe('4w 1o 1u');
      const keys = batch.map(({ id }) => [id]);
      const stored = await provider.read(view, keys, ['f']);
      expect(stored.map((row) => row?.values[0])).toEqual([6n, 5n, 5n, 7n, 1n, 1n]);
    });

    it('takes no created time as the epoch', async () => {
      const view = await newView();
      const epoch = Number(-T0);
      expect(await writeRows(provider, view, 1, [{ event: 0, created: null, value: 1n }])).toBe('1w 0o 0u');
      expect(await writeRows(provider, view, 1, [{ event: 0, created: epoch, value: 2n }])).toBe('0w 0o 1u');
      expect(await writeRows(provider, view, 1, [{ event: 0, created: epoch - 1, value: 3n }])).toBe(
        '0w 1o 0u',
      );
      expect(await readValue(provider, view)).toBe(1n);
    });

    it('holds among rows of one entity in one batch, in any order', async () => {
      const rows = [3, 1, 4, 1, 5, 9, 2, 6].map((event) => ({ event, value: BigInt(event) }));
      for (let turn = 0; turn < rows.length; turn++) {
        const view = await newView();
        const turned = [...rows.slice(turn), ...rows.slice(0, turn)];
        const counts = (await writeRows(provider, view, 1, turned)).match(/\d+/g)?.map(Number) ?? [];
        expect(counts.reduce((a, b) => a + b)).toBe(rows.length);
        expect(counts[0]).toBeGreaterThan(0);
        expect(await readValue(provider, view)).toBe(9n);
      }
      const view = await newView();
      const same = [1n, 2n, 3n].map((value) => ({ event: 0, value }));
      expect(await writeRows(provider, view, 1, same)).toBe('1w 0o 2u');
      expect(await readValue(provider, view)).toBe(1n);
    });

    it('ends with the greatest order, whatever the interleaving of several writers', async () => {
      const writers = [provider, store.open(), store.open()];
      const row = fc.record({
        id: fc.bigInt({ min: 0n, max: 4n }),
        event: fc.integer({ min: -1, max: 2 }),
        created: fc.option(fc.integer({ min: 0, max: 2 })),
        generation: fc.integer({ min: 1, max: 3 }),
      });
      const batch = fc.record({
        writer: fc.nat(2),
        promotion: fc.integer({ min: 1, max: 2 }),
        rows: fc.array(row, { minLength: 1, maxLength: 12 }),
      });
      try {
        await fc.assert(
          fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 9 }), async (batches) => {
            const view = await newView();
            // The value is a function of the order, as it is when versions are immutable.
            const greatest = new Map<bigint, number[]>();
            const valueOf = (order: readonly number[]): bigint =>
              order.reduce((a, b) => a * 64n + BigInt(b + 8), 0n);
            const pending = batches.map(({ writer, promotion, rows }) => {
              const valued = rows.map((r) => {
                const order = [promotion, r.event, r.created ?? -1, r.generation];
                const known = greatest.get(r.id);
                if (!known || compareOrders(order, known) > 0) greatest.set(r.id, order);
                return { ...r, value: valueOf(order) };
              });
              return writeRows(writers[writer] ?? provider, view, promotion, valued);
            });
            await Promise.all(pending);
            const ids = [...greatest.keys()];
            const stored = await provider.read(
              view,
              ids.map((id) => [id]),
              ['f'],
            );
            expect(stored.map((r) => r?.values[0])).toEqual(ids.map((id) => valueOf(greatest.get(id) ?? [])));
          }),
          { numRuns: 60 },
        );
      } finally {
        await Promise.all(writers.slice(1).map((writer) => writer.close()));
      }
    });

    it('lets loaders of the same entities in opposite orders run side by side', async () => {
      const view = await newView();
      const others = [store.open(), store.open()];
      const ids = Array.from({ length: 700 }, (_, i) => BigInt(i));
      const load = (writer: OnlineProvider, event: number, list: readonly bigint[]): Promise<string> =>
        writeRows(
          writer,
          view,
          1,
          list.map((id) => ({ id, event, value: BigInt(event) })),
        );
      const [forth, back] = others;
      if (!forth || !back) throw new Error('two writers');
      for (let event = 0; event < 6; event += 2)
        await Promise.all([load(forth, event, ids), load(back, event + 1, [...ids].reverse())]);
      const rows = await provider.read(
        view,
        ids.map((id) => [id]),
        ['f'],
      );
      expect(new Set(rows.map((row) => row?.values[0]))).toEqual(new Set([5n]));
      await Promise.all(others.map((writer) => writer.close()));
    });
  });
}

function compareOrders(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
