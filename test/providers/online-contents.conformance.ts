import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import { SCALAR_TYPES, type ScalarType, type ValueType } from '../../definitions/types.js';
import { asStored } from '../../feast/value.js';
import type { OnlineOrder, OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { type OnlineStoreUnderTest, readValue, T0, userView, writeRows } from './online-rows.js';

/** What a store gives back of what was written: values, times, keys, views. */
export function contentsConformance(store: OnlineStoreUnderTest, provider: OnlineProvider): void {
  const newView = async (overrides: Partial<OnlineView> = {}): Promise<OnlineView> => {
    const view = userView(overrides);
    await provider.prepare(view);
    return view;
  };

  describe('what is stored', () => {
    it('reads back an empty batch, one row, and more rows than one call holds', async () => {
      for (const count of [0, 1, 99, 100, 101, 1234]) {
        const view = await newView();
        const rows = Array.from({ length: count }, (_, i) => ({
          id: BigInt(i),
          event: i,
          value: BigInt(i),
        }));
        expect(await writeRows(provider, view, 1, rows)).toBe(`${count}w 0o 0u`);
        const keys = rows.map(({ id }) => [id]);
        const stored = await provider.read(view, [...keys, [-1n]], ['f']);
        expect(stored.map((row) => row?.values[0])).toEqual([...rows.map(({ value }) => value), undefined]);
      }
    });

    it('keeps the order that it was written with', async () => {
      const view = await newView();
      await writeRows(provider, view, 3, [{ event: 7, created: 9, generation: 5, value: 1n }]);
      const [row] = await provider.read(view, [[1n]], ['f']);
      expect(row).toEqual({
        values: [1n],
        eventTime: T0 + 7n,
        order: {
          promotion: 3,
          eventTime: T0 + 7n,
          createdTime: T0 + 9n,
          generation: 5,
        } satisfies OnlineOrder,
      });
    });

    it.each([
      '2026-01-01T00:00:00.000001Z',
      '1970-01-01T00:00:00Z',
      '1969-12-31T23:59:59.999999Z',
      '1900-02-28T23:59:59.5Z',
      '0001-01-01T00:00:00.000001Z',
      '2255-06-05T23:47:34.740993Z',
      '9999-12-31T23:59:59.999999Z',
    ])('keeps the event time %s to the microsecond', async (text) => {
      const view = await newView();
      const { micros } = Timestamp.from(text);
      const batch = {
        rows: 1,
        keys: [[1n]],
        values: [[5n]],
        eventTimes: [micros],
        createdTimes: [micros],
        generations: [1],
      };
      expect(await provider.write(view, 1, batch)).toEqual({ written: 1, older: 0, unchanged: 0 });
      expect(await provider.write(view, 1, batch)).toEqual({ written: 0, older: 0, unchanged: 1 });
      const [row] = await provider.read(view, [[1n]], []);
      expect(row?.eventTime).toBe(micros);
      expect(row?.order).toEqual({ promotion: 1, eventTime: micros, createdTime: micros, generation: 1 });
      const later = { ...batch, eventTimes: [micros + 1n] };
      expect(await provider.write(view, 1, later)).toEqual({ written: 1, older: 0, unchanged: 0 });
    });

    it('keeps values of every type, of lists, and NULL', async () => {
      const samples: Record<ScalarType, readonly unknown[]> = {
        bool: [true, false],
        int32: [0, -1, 2_147_483_647, -2_147_483_648],
        int64: [0n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n],
        float32: [0, -0, 3.14, Infinity, NaN],
        float64: [0, -0, 0.1, 1e308, -Infinity, NaN],
        string: ['', 'PL', 'żółć 漢字 🚀', 'x'.repeat(70_000), 'a\r\n\0b'],
        bytes: [new Uint8Array(), new Uint8Array([0, 13, 10, 255])],
        timestamp: [T0, T0 + 999_999n, -1n],
      };
      const columns: { name: string; type: ValueType; values: readonly unknown[] }[] = [];
      for (const type of SCALAR_TYPES) {
        columns.push({ name: `f_${type}`, type, values: samples[type] });
        columns.push({ name: `f_list_${type}`, type: `list<${type}>`, values: [[], samples[type]] });
      }
      const view = await newView({
        features: columns.map(({ name: feature, type }) => ({ name: feature, type })),
      });
      for (let turn = 0; turn < 7; turn++) {
        const values = columns.map((column) => column.values[turn] ?? null);
        const counts = await provider.write(view, 1, {
          rows: 1,
          keys: [[1n]],
          values: values.map((value) => [value]),
          eventTimes: [T0 + BigInt(turn)],
          createdTimes: [null],
          generations: [1],
        });
        expect(counts.written).toBe(1);
        const [row] = await provider.read(
          view,
          [[1n]],
          columns.map((column) => column.name),
        );
        expect(row?.values).toEqual(columns.map(({ type }, i) => asStored(type, values[i])));
      }
    });

    it('finds an entity by keys of every type, in the order of the view', async () => {
      const view = await newView({
        joinKeys: [
          { name: 'z', type: 'string' },
          { name: 'a', type: 'int32' },
          { name: 'm', type: 'bytes' },
          { name: 't', type: 'timestamp' },
          { name: 'i', type: 'int64' },
        ],
      });
      const key = ['ż', -5, new Uint8Array([1, 0]), T0, 2n ** 53n + 1n];
      const written = await provider.write(view, 1, {
        rows: 1,
        keys: key.map((value) => [value]),
        values: [[7n]],
        eventTimes: [T0],
        createdTimes: [null],
        generations: [1],
      });
      expect(written.written).toBe(1);
      const near = key.map((value, i) => (i === 4 ? 2n ** 53n : value));
      const [hit, miss] = await provider.read(view, [key, near], ['f']);
      expect([hit?.values, miss]).toEqual([[7n], undefined]);
    });

    it('keeps views of one entity apart', async () => {
      const first = await newView();
      const second = await newView({ project: first.project, name: 'user_risk' });
      await writeRows(provider, first, 1, [{ event: 5, value: 1n }]);
      expect((await provider.read(second, [[1n]], ['f']))[0]).toBeUndefined();
      await writeRows(provider, second, 1, [{ event: 3, value: 2n }]);
      expect([await readValue(provider, first), await readValue(provider, second)]).toEqual([1n, 2n]);
      const other = await newView();
      expect(await readValue(provider, other)).toBeUndefined();
    });

    it('writes every feature of a row: a value that became NULL is NULL', async () => {
      const view = await newView();
      await writeRows(provider, view, 1, [{ event: 0, value: 1n }]);
      await writeRows(provider, view, 1, [{ event: 1, value: null }]);
      expect(await readValue(provider, view)).toBeNull();
    });

    it('reads a feature that it has never heard of as undefined', async () => {
      const view = await newView();
      await writeRows(provider, view, 1, [{ event: 0, value: 1n }]);
      const wider = { ...view, features: [...view.features, { name: 'g', type: 'int64' as const }] };
      const [row] = await provider.read(wider, [[1n]], ['g', 'f']);
      expect(row?.values).toEqual([undefined, 1n]);
    });

    it('takes a view with one more feature after it was prepared again', async () => {
      const view = await newView();
      await writeRows(provider, view, 1, [{ event: 0, value: 1n }]);
      const features = [...view.features, { name: 'Größe "x"', type: 'string' as const }];
      const wider = await newView({ ...view, features });
      await provider.write(wider, 1, {
        rows: 1,
        keys: [[1n]],
        values: [[2n], ['new']],
        eventTimes: [T0 + 1n],
        createdTimes: [null],
        generations: [1],
      });
      expect((await provider.read(wider, [[1n]], ['Größe "x"', 'f']))[0]?.values).toEqual(['new', 2n]);
    });

    it('takes a view of 300 features, long names and names of its own columns', async () => {
      const names = ['event_timestamp', 'entity_key', 'generation', 'x'.repeat(80), `${'x'.repeat(79)}y`];
      for (let i = 0; i < 295; i++) names.push(`f${i}`);
      const view = await newView({
        name: 'v'.repeat(store.longestName),
        features: names.map((feature) => ({ name: feature, type: 'int64' })),
      });
      await provider.write(view, 1, {
        rows: 2,
        keys: [[1n, 2n]],
        values: names.map((_, i) => [BigInt(i), BigInt(-i)]),
        eventTimes: [T0, T0],
        createdTimes: [null, null],
        generations: [1, 1],
      });
      const rows = await provider.read(view, [[2n], [1n]], names);
      expect(rows.map((row) => row?.values)).toEqual([
        names.map((_, i) => BigInt(-i)),
        names.map((_, i) => BigInt(i)),
      ]);
    });

    it('can be prepared by many at once', async () => {
      const view = userView();
      const others = Array.from({ length: 6 }, () => store.open());
      await Promise.all(others.flatMap((other) => [other.prepare(view), other.prepare(view)]));
      expect(await writeRows(provider, view, 1, [{ event: 0, value: 1n }])).toBe('1w 0o 0u');
      await Promise.all(others.map((other) => other.close()));
    });
  });
}
