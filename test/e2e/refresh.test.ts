import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromEnv, redisStore } from '../../definitions/index.js';
import { postgresOnline, shopIn } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { CORRECTED, outdated, sell, startRefresh, tombstones, totals } from '../support/refreshed.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('a full refresh', () => {
  it('takes entities away that no version has; older intervals do not bring them back, newer ones do', async () => {
    const { shop, folder } = await outdated(world);
    await world.withWorker(shop.project, async (client) => {
      const run = async (date: string): Promise<unknown> =>
        await (await client.run('shop_daily', { date })).result();
      expect(await totals(shop)).toEqual([30, 5.5, 1]);
      const result = await (await startRefresh(world, shop)).result();
      expect(result.steps).toMatchObject([
        { outcome: 'made', rows: 1, removed: 2, loaded: { written: 1, older: 0, unchanged: 0 } },
      ]);
      expect(await totals(shop)).toEqual([30, null, null]);
      expect(await tombstones(world, shop)).toBe(2);

      // User 2 was there on the first day after all: older than what the refresh knew.
      await sell(folder, [...CORRECTED, [2, 1, 7]]);
      await run('2026-01-01');
      expect(await totals(shop)).toEqual([30, null, null]);
      expect(await tombstones(world, shop)).toBe(2);
      await run('2026-01-03');
      expect(await totals(shop)).toEqual([30, 7, null]);
      // The load of a newer interval has collected what is left: nobody is at work on older ones.
      expect(await tombstones(world, shop)).toBe(0);
      expect(
        await world.registry(
          shop.project,
          `SELECT number, collected_at IS NOT NULL AS collected FROM {schema}.refreshes`,
        ),
      ).toEqual([{ number: 2, collected: true }]);
      expect(
        await world.registry(
          shop.project,
          `SELECT actor, detail FROM {schema}.audit WHERE action = 'refresh' AND target LIKE 'view/totals.%'`,
        ),
      ).toEqual([{ actor: 'Temporal UI', detail: { number: 2, to: '2026-01-03T00:00:00Z' } }]);
      // A second one finds nothing to take away; a promotion's number was never lowered.
      expect(await (await startRefresh(world, shop)).result()).toMatchObject({ steps: [{ removed: 0 }] });
      expect(await totals(shop)).toEqual([30, 7, null]);
    });
  });

  it('of a range leaves out what ended before it, for daily loads too', async () => {
    const { shop, folder } = await outdated(world);
    await world.withWorker(shop.project, async (client) => {
      // Of the third day only user 2 is known.
      await sell(folder, [[2, 3, 4]]);
      await (await client.run('shop_daily', { date: '2026-01-03' })).result();
      await (await startRefresh(world, shop, { from: '2026-01-03', to: '2026-01-04' })).result();
      expect(await totals(shop)).toEqual([null, 4, null]);
      await (await client.run('shop_daily', { date: '2026-01-04' })).result();
      expect(await totals(shop)).toEqual([null, 4, null]);
      await (await startRefresh(world, shop)).result();
      expect(await totals(shop)).toEqual([30, 4, null]);
    });
  });

  it('is refused in words where it would leave nothing, and changes nothing', async () => {
    const { shop } = await outdated(world);
    const cases = [
      [{ view: 'nope' }, 'UnknownResource', /nope/],
      [{ date: '2026-01-02' }, 'InvalidInput', /no single date/],
      [
        { from: '2026-02-01', to: '2026-02-02' },
        'SourceMissing',
        /is made up to 2026-01-02, and nothing from/,
      ],
      [{ from: '2026-01-02', to: '2026-01-02' }, 'InvalidInterval', /"from" .* must be before "to"/],
    ] as const;
    await world.withWorker(shop.project, async () => {
      for (const [input, code, message] of cases) {
        const failure = await failureOf((await startRefresh(world, shop, input)).result());
        expect(failure.type).toBe(code);
        expect(failure.message).toMatch(message);
      }
      expect(await totals(shop)).toEqual([30, 5.5, 1]);
      expect(await world.registry(shop.project, 'SELECT number FROM {schema}.refreshes')).toEqual([]);
    });
  });

  it('takes rows under keys of another version away too, from which nobody reads since the store was bound anew', async () => {
    const { shop, folder, name } = await outdated(world);
    const rebound = shopIn(name, folder, {
      online: redisStore({ url: fromEnv('REDIS_URL'), entityKeySerialization: 2 }),
    });
    await world.withWorker(rebound.project, async (client) => {
      expect(await totals(rebound)).toEqual([null, null, null]);
      // The day is valid but for the store: the view is loaded anew, and its feature set is not built.
      const { steps } = await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      expect(steps.filter(({ outcome }) => outcome === 'made').map(({ step }) => step)).toEqual([
        expect.stringMatching(/^view\/totals/),
      ]);
      expect(await totals(rebound)).toEqual([30, null, null]);
      expect(await totals(shop)).toEqual([30, 5.5, 1]);
      expect(await (await startRefresh(world, rebound)).result()).toMatchObject({ steps: [{ removed: 3 }] });
      expect(await totals(shop)).toEqual([null, null, null]);
      expect(await totals(rebound)).toEqual([30, null, null]);
    });
  });

  it('removes from Postgres as well', async () => {
    const { shop } = await outdated(world, { online: postgresOnline() });
    await world.withWorker(shop.project, async () => {
      expect(await totals(shop)).toEqual([30, 5.5, 1]);
      await (await startRefresh(world, shop)).result();
      expect(await totals(shop)).toEqual([30, null, null]);
    });
  });
});
