import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { shopIn, writeSales } from '../fixtures/shop.js';
import { probeReaders } from '../support/reader-probe.js';
import { DAY, seen, watchedShop } from '../support/rolled-back.js';
import { canHaveTinyDisk, startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const NEXT_DAY = '2026-01-03';
/** So many users buy on the third day that their totals do not fit on a disk of 2 MiB. */
const CROWD = `SELECT i AS user_id, TIMESTAMP '2026-01-03 10:00:00' AS sold_at, random() * 1e6 AS amount FROM range(200000) t(i)`;

/** A disk that is full in the worker of the second day, and how the failure names it. */
const DISKS: readonly {
  readonly what: string;
  readonly folder: (lake: string, scratch: string) => string;
  readonly message: RegExp;
}[] = [
  {
    what: 'scratch folder, where the engine spills and writes',
    folder: (_lake, scratch) => scratch,
    message: /feature set totals ran out of memory or disk: .*(No space left|scratch)/s,
  },
  {
    what: 'staging folder of the lake',
    folder: (lake) => join(lake, '_staging'),
    message: /The disk is full \(ENOSPC\) at .*_staging/,
  },
];

describe.skipIf(!canHaveTinyDisk()).concurrent('a worker whose disk is full: its', () => {
  it.each(DISKS.map((each) => [each.what, each] as const))(
    '%s',
    async (_what, { folder, message }) => {
      const name = `f${randomBytes(5).toString('hex')}`;
      const home = join(world.folder, name);
      await writeSales(home);
      const shop = shopIn(name, home);
      world.uses(shop.project);
      const scratch = join(home, 'tmp');
      const full = folder(shop.lake, scratch);
      await mkdir(scratch, { recursive: true });
      const start = (tinyDisk?: { folder: string; kib: number }): Promise<WorkerProcess> =>
        startWorkerProcess({
          project: 'test/fixtures/shop-project.ts',
          env: { SHOP_NAME: name, SHOP_FOLDER: home, TMPDIR: scratch },
          ...(tinyDisk === undefined ? {} : { tinyDisk }),
        });
      const client = await GranaryClient.connect({ project: shop.project });
      try {
        const first = await start();
        await (await client.run('shop_daily', { date: DAY })).result();
        await first.signal('SIGTERM');
        const before = await seen(world, shop);
        await using probe = await probeReaders(world, watchedShop(shop));

        await writeSales(home, CROWD);
        await mkdir(full, { recursive: true });
        const cramped = await start({ folder: full, kib: 2048 });
        const failed = await client.run('shop_daily', { date: NEXT_DAY });
        await expect(failed.result()).rejects.toMatchObject({
          cause: { message: expect.stringMatching(message) as string },
        });
        expect(await seen(world, shop)).toEqual(before);
        await cramped.signal('SIGTERM');

        await using _roomy = await start();
        await (await client.run('shop_daily', { date: NEXT_DAY })).result();
        expect((await seen(world, shop)).online[0]).toMatchObject({ n: 1n, at: '2026-01-04T00:00:00Z' });
        await probe.verify();
      } finally {
        await client.close();
      }
    },
    180_000,
  );
});
