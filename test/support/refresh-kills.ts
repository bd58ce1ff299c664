import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { CORRECTED, outdated, sell, startRefresh, totals } from './refreshed.js';
import { startWorkerProcess, type Armed } from './worker-process.js';
import { createWorld, type World } from './world.js';

let world: World;

/** A shop whose online rows are out of date, and how to start a worker for it. */
async function prepared() {
  const { shop, folder, name } = await outdated(world);
  const start = (armed?: Armed) =>
    startWorkerProcess({
      project: 'test/fixtures/shop-project.ts',
      env: { SHOP_NAME: name, SHOP_FOLDER: folder },
      ...(armed === undefined ? {} : { armed }),
    });
  return { shop, folder, start, release: join(folder, 'released') };
}

const begun = async (shop: Parameters<typeof totals>[0]): Promise<number> =>
  (await world.registry(shop.project, 'SELECT number FROM {schema}.refreshes')).length;

/** Kills workers in a full refresh at these points. */
export function refreshKills(points: readonly CrashPoint[]): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent('a full refresh whose worker is killed', () => {
    it.each(points)(
      'at %s is ended by another worker, once',
      async (point) => {
        const { shop, start } = await prepared();
        await using doomed = await start({ point, action: 'wait' });
        const run = await startRefresh(world, shop);
        await doomed.told(point);
        // Each entity is what it was, or is right already.
        for (const [i, total] of (await totals(shop)).entries())
          expect([[30, 5.5, 1][i], [30, null, null][i]]).toContain(total);
        await doomed.signal('SIGKILL');
        await using _successor = await start();
        expect(await run.result()).toMatchObject({ steps: [{ outcome: 'made', rows: 1 }] });
        expect(await totals(shop)).toEqual([30, null, null]);
        expect(await begun(shop)).toBe(1);
      },
      180_000,
    );

    it('and terminated once it has begun is ended by the next load of the view', async () => {
      const { shop, folder, start } = await prepared();
      await using doomed = await start({ point: 'refresh.after-begin', action: 'wait' });
      const run = await startRefresh(world, shop);
      await doomed.told('refresh.after-begin');
      await doomed.signal('SIGKILL');
      await world.temporal.workflow.getHandle(run.workflowId).terminate('enough');
      expect(await totals(shop)).toEqual([30, 5.5, 1]);
      await using _successor = await start();
      const client = await GranaryClient.connect({ project: shop.project });
      // Also by one that was asked for an old day alone: else it would win over what is newer, and that would be removed.
      await (await client.materialize({ views: ['totals'], from: '2026-01-01', to: '2026-01-02' })).result();
      expect(await totals(shop)).toEqual([30, null, null]);
      await sell(folder, [...CORRECTED, [1, 3, 2]]);
      await (await client.run('shop_daily', { date: '2026-01-03' })).result();
      await client.close();
      expect(await totals(shop)).toEqual([32, null, null]);
      expect(await begun(shop)).toBe(1);
    }, 180_000);
  });

  describe.concurrent('daily loads beside a full refresh', () => {
    const newest: readonly [string, 'refresh' | 'daily'][] = [
      ['that ends in the middle of it loses nothing', 'refresh'],
      ['that slept through it loads anew, and brings nothing back', 'daily'],
    ];
    it.each(newest)(
      'one %s',
      async (_, sleeper) => {
        const { shop, folder, start, release } = await prepared();
        await sell(folder, [...CORRECTED, [1, 3, 2], [4, 3, 8]]);
        await using worker = await start({ point: 'load.before-record:1', action: 'hold', release });
        const client = await GranaryClient.connect({ project: shop.project });
        try {
          const daily = () => client.run('shop_daily', { date: '2026-01-03' });
          const refresh = () => startRefresh(world, shop);
          const held = await (sleeper === 'refresh' ? refresh() : daily());
          await worker.told('load.before-record');
          await (await (sleeper === 'refresh' ? daily() : refresh())).result();
          const seen = async (): Promise<unknown> => [
            ...(await totals(shop)),
            (await client.features(shop.view, [{ user_id: 4n }]))[0]?.values.total,
          ];
          // The version of the third day was made in either case, and so is loaded by whoever ends first.
          expect(await seen()).toEqual([32, null, null, 8]);
          await writeFile(release, '');
          await held.result();
          expect(await seen()).toEqual([32, null, null, 8]);
          expect(await begun(shop)).toBe(1);
        } finally {
          await client.close();
        }
      },
      180_000,
    );
  });
}
