import { describe, expect, it } from 'vitest';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { type OnlineStoreUnderTest, readValue, userView, writeRows } from './online-rows.js';

const wanted = (): Promise<boolean> => Promise.resolve(true);

/** What removing a view takes away, and what it leaves. */
export function removeConformance(store: OnlineStoreUnderTest, provider: OnlineProvider): void {
  describe('removing a view', () => {
    const filled = async (overrides: Partial<OnlineView> = {}, count = 3): Promise<OnlineView> => {
      const view = userView(overrides);
      await provider.prepare(view);
      const rows = Array.from({ length: count }, (_, i) => ({ id: BigInt(i), event: 0, value: BigInt(i) }));
      expect(await writeRows(provider, view, 1, rows)).toBe(`${count}w 0o 0u`);
      return view;
    };

    it('takes its values, its order and its receipt away, and is content when there are none', async () => {
      const view = await filled({}, 700);
      const state = await provider.state(view.project);
      await provider.acknowledge(view.project, view.name, state, 7);
      expect([700, undefined]).toContain(await provider.remove(view, wanted));
      expect(await readValue(provider, view, 5n)).toBeUndefined();
      expect(await provider.receipt(view.project, view.name)).toBe(0);
      expect([0, undefined]).toContain(await provider.remove(view, wanted));
      expect(await provider.state(view.project)).toEqual(state);
    });

    it('leaves other views of the same entities, and projects whose name ends or begins alike', async () => {
      const view = await filled();
      const others = [
        await filled({ project: view.project, name: 'user_features_2' }),
        await filled({ project: view.project, name: 'user' }),
        await filled({ project: `features_${view.project}` }),
        await filled({ project: `${view.project}_2` }),
        await filled({
          project: view.project,
          name: 'other_keys',
          joinKeys: [{ name: 'customer_id', type: 'int64' }],
        }),
      ];
      for (const other of others)
        await provider.acknowledge(other.project, other.name, await provider.state(other.project), 3);
      await provider.remove(view, wanted);
      for (const other of others) {
        expect(await readValue(provider, other, 2n)).toBe(2n);
        expect(await provider.receipt(other.project, other.name)).toBe(3);
      }
    });

    it('removes nothing when it is not wanted any more', async () => {
      const view = await filled();
      await expect(provider.remove(view, () => Promise.resolve(false))).rejects.toMatchObject({
        code: 'StaleToken',
      });
      expect(await readValue(provider, view, 2n)).toBe(2n);
    });

    it('lets the view be made anew: a row with an older event time is not held off by what was removed', async () => {
      const view = await filled();
      await provider.remove(view, wanted);
      await provider.prepare(view);
      expect(await writeRows(provider, view, 1, [{ event: -9, value: 5n }])).toBe('1w 0o 0u');
      expect(await readValue(provider, view)).toBe(5n);
    });

    it('may be done by several at once', async () => {
      const view = await filled({}, 50);
      const others = [store.open(), store.open(), store.open()];
      const outcomes = await Promise.allSettled(others.map((other) => other.remove(view, wanted)));
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'StaleToken' });
      await provider.remove(view, wanted);
      expect(await readValue(provider, view, 5n)).toBeUndefined();
      await Promise.all(others.map((other) => other.close()));
    });

    it('removes nothing of a view that was made anew while the attempt slept', async () => {
      const view = await filled();
      const sleeper = store.open();
      let wake: (() => void) | undefined;
      const asleep = new Promise<void>((resolve) => (wake = resolve));
      let asked: (() => void) | undefined;
      const hasAsked = new Promise<void>((resolve) => (asked = resolve));
      const late = sleeper
        .remove(view, async () => {
          asked?.();
          await asleep;
          return true;
        })
        .then(
          () => 'done',
          (error: unknown) => (error as { code?: string }).code,
        );
      await hasAsked;
      // In Postgres the sleeper holds a lock, and the next one waits for it; in Redis it holds a mark, and the next one replaces it.
      const next = provider.remove(view, wanted).then(
        () => 'done',
        (error: unknown) => (error as { code?: string }).code,
      );
      if (provider.description.startsWith('redis')) {
        expect(await next).toBe('done');
        await provider.prepare(view);
        await writeRows(provider, view, 1, [{ event: 1, value: 9n }]);
        wake?.();
        expect(await late).toBe('StaleToken');
        expect(await readValue(provider, view)).toBe(9n);
      } else {
        wake?.();
        expect(await late).toBe('done');
        expect(await next).toBe('done');
      }
      await sleeper.close();
    });
  });
}
