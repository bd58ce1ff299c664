import { afterAll, describe, expect, it } from 'vitest';
import type { OnlineView } from '../../providers/online/provider.js';
import { contentsConformance } from './online-contents.conformance.js';
import { newerWinsConformance } from './online-newer-wins.conformance.js';
import { promotionConformance } from './online-promotion.conformance.js';
import { readAllConformance } from './online-read-all.conformance.js';
import { removeConformance } from './online-remove.conformance.js';
import { tombstoneConformance } from './online-tombstones.conformance.js';
import { type OnlineStoreUnderTest, readValue, T0, userView, writeRows } from './online-rows.js';

const code = (name: string): unknown => expect.objectContaining({ code: name });

/** What every online store must do. */
export function onlineConformance(name: string, store: OnlineStoreUnderTest): void {
  describe(`online store ${name}`, () => {
    const provider = store.open();
    afterAll(() => provider.close());
    const newView = async (overrides: Partial<OnlineView> = {}): Promise<OnlineView> => {
      const view = userView(overrides);
      await provider.prepare(view);
      return view;
    };

    it('answers a check and describes itself without a password', async () => {
      await provider.check();
      expect(provider.description).toMatch(/^\w+ at \w+:\/\/[^@]+$/);
    });

    newerWinsConformance(store, provider);
    contentsConformance(store, provider);
    removeConformance(store, provider);
    promotionConformance(provider);
    tombstoneConformance(provider);
    readAllConformance(store, provider);

    describe('what is refused', () => {
      it('refuses a NULL key by name and writes nothing of the batch', async () => {
        const view = await newView();
        const batch = {
          rows: 300,
          keys: [Array.from({ length: 300 }, (_, i) => (i === 250 ? null : BigInt(i)))],
          values: [Array.from({ length: 300 }, () => 1n)],
          eventTimes: Array.from({ length: 300 }, () => T0),
          createdTimes: Array.from({ length: 300 }, () => null),
          generations: Array.from({ length: 300 }, () => 1),
        };
        await expect(provider.write(view, 1, batch)).rejects.toMatchObject({
          code: 'NullKey',
          message: expect.stringMatching(/"user_id".*row 250/) as string,
        });
        expect(await readValue(provider, view, 0n)).toBeUndefined();
        await expect(provider.read(view, [[null]], ['f'])).rejects.toEqual(code('NullKey'));
      });

      it('refuses a value that does not fit by the name of the feature, and works on', async () => {
        const view = await newView();
        const row = { event: 0, value: 2n ** 63n };
        await expect(writeRows(provider, view, 1, [row])).rejects.toMatchObject({
          code: 'ValueOutOfRange',
          message: expect.stringContaining('user_features:f') as string,
        });
        for (let i = 0; i < 50; i++) await expect(writeRows(provider, view, 1, [row])).rejects.toThrow();
        expect(await writeRows(provider, view, 1, [{ event: 0, value: 1n }])).toBe('1w 0o 0u');
      });

      it('says within seconds that a server is unreachable: its address, never the password', async () => {
        const { provider: away, address } = store.unreachable();
        const view = userView();
        const batch = {
          rows: 1,
          keys: [[1n]],
          values: [[1n]],
          eventTimes: [T0],
          createdTimes: [null],
          generations: [1],
        };
        const attempts = [
          away.check(),
          away.state('p'),
          away.write(view, 1, batch),
          away.read(view, [[1n]], ['f']),
          away.readStored([{ view, keys: [[1n]], features: ['f'] }]),
          away.entities(view, ['f'])[Symbol.asyncIterator]().next(),
        ];
        for (const result of await Promise.allSettled(attempts)) {
          expect(result).toMatchObject({
            status: 'rejected',
            reason: {
              code: 'ProviderUnreachable',
              retryable: true,
              message: expect.stringContaining(address) as string,
            },
          });
          expect(
            JSON.stringify(result, Object.getOwnPropertyNames((result as PromiseRejectedResult).reason)),
          ).not.toMatch(/s3cret/);
        }
        expect(away.description).not.toMatch(/s3cret/);
        await away.close();
      }, 8000);
    });

    it('has an id that stays while its contents do, and is new after they are gone', async () => {
      const { project } = userView();
      const others = Array.from({ length: 5 }, () => store.open());
      const ids = await Promise.all(others.map(async (other) => (await other.state(project)).id));
      expect(new Set(ids).size).toBe(1);
      expect((await provider.state(project)).id).toBe(ids[0]);
      expect((await provider.state(`${project}_2`)).id).not.toBe(ids[0]);
      await store.wipe(project);
      expect((await provider.state(project)).id).not.toBe(ids[0]);
      await Promise.all(others.map((other) => other.close()));
    });

    it('keeps the greatest receipt of a view, for the contents and the server that it was meant for', async () => {
      const { project } = userView();
      const state = await provider.state(project);
      expect(await provider.receipt(project, 'v')).toBe(0);
      expect(await provider.acknowledge(project, 'v', state, 7)).toBe(true);
      expect(await provider.acknowledge(project, 'v', state, 5)).toBe(true);
      expect(await provider.receipt(project, 'v')).toBe(7);
      expect(await provider.receipt(project, 'w')).toBe(0);
      expect(await provider.acknowledge(project, 'v', { ...state, id: 'another' }, 9)).toBe(false);
      if (state.server !== '')
        expect(await provider.acknowledge(project, 'v', { ...state, server: 'another' }, 9)).toBe(false);
      expect(await provider.receipt(project, 'v')).toBe(7);
    });

    it('holds other contents under keys of another version; removals take both', async () => {
      const second = store.openKeys2();
      const view = await newView();
      const [three, two] = [await provider.state(view.project), await second.state(view.project)];
      expect(two.id).not.toBe(three.id);
      expect(await second.state(view.project)).toEqual(two);
      expect(await second.acknowledge(view.project, view.name, three, 3)).toBe(false);
      expect(await second.acknowledge(view.project, view.name, two, 3)).toBe(true);
      await second.renew(view.project, two.id);
      expect((await provider.state(view.project)).id).toBe(three.id);

      await writeRows(provider, view, 1, [{ event: 9, value: 3n }]);
      expect(await readValue(second, view)).toBeUndefined();
      await writeRows(second, view, 1, [{ event: 0, value: 2n }]);
      expect([await readValue(provider, view), await readValue(second, view)]).toEqual([3n, 2n]);
      await writeRows(second, view, 2, [{ id: 5n, event: 0, value: 5n }]);
      await second.fence(view, 2);
      expect(await second.removeBelow(view, 2)).toBe(2);
      expect([await readValue(provider, view), await readValue(second, view)]).toEqual([
        undefined,
        undefined,
      ]);
      await writeRows(provider, view, 2, [{ event: 9, value: 3n }]);
      await second.remove(view, () => Promise.resolve(true));
      expect([await readValue(provider, view), await readValue(second, view, 5n)]).toEqual([
        undefined,
        undefined,
      ]);
      await second.close();
    });

    it('gets a new id when it is renewed, once for all who saw the loss', async () => {
      const { project } = userView();
      const { id } = await provider.state(project);
      await provider.renew(project, id);
      const renewed = await provider.state(project);
      expect(renewed.id).not.toBe(id);
      await provider.renew(project, id);
      expect(await provider.state(project)).toEqual(renewed);
    });
  });
}
