import { describe, expect, it } from 'vitest';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { readValue, userView, writeRows } from './online-rows.js';

/** What a name's promotion to another variant does to its rows. */
export function promotionConformance(provider: OnlineProvider): void {
  const rows = (count: number, event = 0) =>
    Array.from({ length: count }, (_, i) => ({ id: BigInt(i), event, value: BigInt(i) }));
  const filled = async (overrides: Partial<OnlineView> = {}): Promise<OnlineView> => {
    const view = userView(overrides);
    await provider.prepare(view);
    expect(await writeRows(provider, view, 1, rows(300))).toBe('300w 0o 0u');
    return view;
  };

  describe('promotion', () => {
    it('lets nothing below the fence in, neither over a row nor beside it', async () => {
      const view = await filled();
      await provider.fence(view, 3);
      expect(await writeRows(provider, view, 2, rows(301, 9))).toBe('0w 301o 0u');
      expect(await readValue(provider, view, 300n)).toBeUndefined();
      expect(await writeRows(provider, view, 3, rows(301, -9))).toBe('301w 0o 0u');
      expect(await writeRows(provider, view, 4, rows(301, -99))).toBe('301w 0o 0u');
    });

    it('never lowers a fence', async () => {
      const view = await filled();
      await provider.fence(view, 3);
      await provider.fence(view, 2);
      expect(await writeRows(provider, view, 2, rows(1, 9))).toBe('0w 1o 0u');
    });

    it('fences off one view of one project', async () => {
      const view = await filled();
      const others = [
        await filled({ project: view.project, name: 'user_features_2' }),
        await filled({ project: `${view.project}2` }),
      ];
      await provider.fence(view, 3);
      for (const other of others) expect(await writeRows(provider, other, 1, rows(1, 9))).toBe('1w 0o 0u');
    });

    it('takes away what only the variant before had: its entities, and its features of entities that stay', async () => {
      const before = await filled({
        features: [
          { name: 'f', type: 'int64' },
          { name: 'gone', type: 'int64' },
        ],
      });
      const full = {
        rows: 2,
        keys: [[1n, 2n]],
        eventTimes: [5n, 5n],
        createdTimes: [null, null],
        generations: [1, 1],
      };
      await provider.write(before, 2, {
        ...full,
        values: [
          [1n, 2n],
          [1n, 2n],
        ],
      });
      const sibling = await filled({ project: before.project, name: 'sibling' });
      const view: OnlineView = {
        ...before,
        features: [
          { name: 'f', type: 'int64' },
          { name: 'new', type: 'int64' },
        ],
        retired: ['gone'],
      };
      await provider.prepare(view);
      await provider.write(view, 3, {
        rows: 1,
        keys: [[1n]],
        values: [[10n], [11n]],
        eventTimes: [0n],
        createdTimes: [null],
        generations: [1],
      });
      // An entity is wholly new or wholly old before the rest is taken away.
      const both = { ...view, features: [...view.features, { name: 'gone', type: 'int64' as const }] };
      const read = async () =>
        (await provider.read(both, [[1n], [2n]], ['f', 'new', 'gone'])).map((row) =>
          row?.values.map((value) => value ?? null),
        );
      expect(await read()).toEqual([
        [10n, 11n, null],
        [2n, null, 2n],
      ]);
      await provider.fence(view, 3);
      expect(await provider.removeBelow(view, 3)).toBe(299);
      expect(await read()).toEqual([[10n, 11n, null], undefined]);
      expect(await provider.removeBelow(view, 3)).toBe(0);
      expect(await readValue(provider, sibling, 2n)).toBe(2n);
    });

    it('leaves no fence behind where the view was removed', async () => {
      const view = await filled();
      await provider.fence(view, 7);
      await provider.remove(view, () => Promise.resolve(true));
      await provider.prepare(view);
      expect(await writeRows(provider, view, 1, rows(1))).toBe('1w 0o 0u');
    });

    it('refuses to remove anything when its fence is gone with the store', async () => {
      const view = await filled();
      const outcome = await provider.removeBelow(view, 2).then(
        () => 'done',
        (error: unknown) => (error as { code?: string }).code,
      );
      expect(outcome).toBe('StoreReplaced');
      expect(await readValue(provider, view, 2n)).toBe(2n);
    });
  });
}
