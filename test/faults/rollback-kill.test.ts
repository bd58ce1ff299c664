import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_POINTS } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { expectAgain, seen, spoilt } from '../support/rolled-back.js';
import { startWorkerProcess } from '../support/worker-process.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Whatever a rollback passes after its commit is passed by every run too: test/e2e/kill.test.ts stops there. */
describe.concurrent('a worker killed in a rollback at', () => {
  it.each(CRASH_POINTS.filter((point) => point.startsWith('rollback.')))(
    '%s: readers still see the version before, another worker ends the rollback, once',
    async (point) => {
      const { shop, folder, good, bad } = await spoilt(world);
      const worker = {
        project: 'test/fixtures/shop-project.ts',
        env: { SHOP_NAME: shop.project.name, SHOP_FOLDER: folder },
      };
      await using doomed = await startWorkerProcess({ ...worker, armed: { point, action: 'wait' } });
      const client = await GranaryClient.connect({ project: shop.project });
      try {
        const run = await client.rollback('totals', { reason: 'wrong export' });
        await doomed.told(point);
        await doomed.signal('SIGKILL');
        const { version, online } = await seen(world, shop);
        expect({ version, online }).toEqual({ version: bad.version, online: bad.online });
        await using _successor = await startWorkerProcess(worker);
        await run.result();
        expectAgain(await seen(world, shop), good);
        expect((await client.versions('totals')).map((v) => [v.generation, v.rollback?.reason])).toEqual([
          [3, 'wrong export'],
          [2, undefined],
          [1, undefined],
        ]);
      } finally {
        await client.close();
      }
    },
    120_000,
  );
});
