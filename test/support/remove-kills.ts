import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { shop } from '../fixtures/shop.js';
import { openLake } from './lake.js';
import { startWorkerProcess } from './worker-process.js';
import { createWorld, type World } from './world.js';

/** A feature set has files and no values online; a view the reverse. */
const resourceOf = (point: CrashPoint): 'view' | 'source' =>
  point === 'remove.after-online' ? 'view' : 'source';

/** Kills workers in deletions at these points. */
export function removeKills(points: readonly CrashPoint[]): void {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent('a worker killed in a deletion at', () => {
    it.each(points)(
      '%s: nobody may use the resource, another worker ends the deletion, noted once',
      async (point) => {
        const name = `k${randomBytes(5).toString('hex')}`;
        const folder = join(world.folder, name);
        const made = await shop(name, folder);
        const kind = resourceOf(point);
        await world.withWorker(made.project, async (client) => {
          for (const date of ['2026-01-01', '2026-01-02'])
            await (await client.run('shop_daily', { date })).result();
          for (const id of ['pipeline/shop_daily', 'large_purchases'])
            await (await client.remove(id)).result();
          if (kind === 'source') await (await client.remove('view/totals')).result();
        });
        const worker = {
          project: 'test/fixtures/shop-project.ts',
          env: { SHOP_NAME: name, SHOP_FOLDER: folder },
        };
        await using doomed = await startWorkerProcess({ ...worker, armed: { point, action: 'wait' } });
        const client = await GranaryClient.connect({ project: made.project });
        try {
          const run = await client.remove(`${kind}/totals`, { reason: 'not used' });
          await doomed.told(point);
          await doomed.signal('SIGKILL');
          const marked = (await client.resources.list()).find(({ id }) => id.startsWith(`${kind}/totals.`));
          if (point === 'remove.after-rows') expect(marked).toBeUndefined();
          else if (point !== 'remove.before-mark') expect(marked?.status).toBe('DELETING');
          await using _successor = await startWorkerProcess(worker);
          const { resource, ...outcome } = await run.result();
          expect(outcome).toEqual(
            kind === 'view'
              ? { versions: 0, ...(point === 'remove.after-online' ? { entities: 0 } : {}) }
              : { versions: 2 },
          );
          expect((await client.resources.list()).map(({ id }) => id)).not.toContain(resource);
          expect(
            (await client.resources.history(resource)).map(({ what, detail }) => [what, detail['reason']]),
          ).toEqual([['delete', 'not used']]);
          if (kind === 'view') expect((await world.online(`${name}_dev`)).size).toBe(0);
          await using lake = openLake(made.lake);
          const files = (await lake.list('.')).filter((path) => path.startsWith('totals/'));
          expect(files.length > 0).toBe(kind === 'view');
        } finally {
          await client.close();
        }
      },
      300_000,
    );
  });
}
