import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { declared, makeSecond, ONLINE, online, onlineAs, variants } from './promoted.js';
import { startWorkerProcess } from './worker-process.js';
import { createWorld, type World } from './world.js';

let world: World;

/** Both variants made, and how to start a worker for them. */
async function made() {
  const { name, folder, first, both } = await declared(world);
  await world.withWorker(both, makeSecond);
  const worker = {
    project: 'test/fixtures/promoted-project.ts',
    env: { SHOP_NAME: name, SHOP_FOLDER: folder },
  };
  return { first, both, worker };
}

const defaults = async (both: Parameters<typeof variants>[1]): Promise<unknown[]> =>
  (await variants(world, both)).filter((row) => row['is_default']).map((row) => row['id']);

/** Kills workers in promotions of a view, and of a feature set, at these points. */
export function promoteKills(
  view: readonly (CrashPoint | `${CrashPoint}:${number}`)[],
  source: readonly CrashPoint[],
): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent('a promotion whose worker is killed', () => {
    it.each([
      ...view.map(
        (point) => [point, 'view/totals', ['source/totals.v1', 'view/totals.v2'], ONLINE.second] as const,
      ),
      ...source.map(
        (point) => [point, 'source/totals', ['source/totals.v2', 'view/totals.v1'], ONLINE.first] as const,
      ),
    ])(
      'at %s is ended by another worker, once: %s',
      async (point, name, expected, values) => {
        const { both, worker } = await made();
        await using doomed = await startWorkerProcess({ ...worker, armed: { point, action: 'wait' } });
        const client = await GranaryClient.connect({ project: both });
        try {
          const run = await client.promote(name, { variant: 'v2' });
          await doomed.told(point.replace(/:\d+$/, ''));
          await doomed.signal('SIGKILL');
          await using _successor = await startWorkerProcess(worker);
          await run.result();
          expect(await defaults(both)).toEqual(expected);
          expect(await online(both)).toEqual(values);
          // Both are loaded, each under the name that it has now.
          expect(await onlineAs(both, 'v1')).toEqual(ONLINE.first);
          expect(await onlineAs(both, 'v2')).toEqual([ONLINE.second[0], null]);
          expect(
            await world.registry(
              both,
              `SELECT count(*)::int AS n FROM {schema}.audit WHERE action = 'promote'`,
            ),
          ).toEqual([{ n: 1 }]);
        } finally {
          await client.close();
        }
      },
      180_000,
    );

    it('and terminated in mid-load is given up: the next run of the default wins its entities back', async () => {
      const { both, worker } = await made();
      const client = await GranaryClient.connect({ project: both });
      try {
        await using doomed = await startWorkerProcess({
          ...worker,
          armed: { point: 'load.before-record', action: 'wait' },
        });
        const run = await client.promote('view/totals', { variant: 'v2' });
        await doomed.told('load.before-record');
        await doomed.signal('SIGKILL');
        await world.temporal.workflow.getHandle(run.workflowId).terminate('enough');
        // What it loaded is there: whole rows of the variant that did not become the default.
        expect((await online(both))[0]).toEqual({ total: 60, n: null });
        await using _successor = await startWorkerProcess(worker);
        await (await client.run('shop_daily', { date: '2026-01-02' })).result();
        expect(await online(both)).toEqual(ONLINE.first);
        expect(await defaults(both)).toEqual(['source/totals.v1', 'view/totals.v1']);
        await (await client.promote('view/totals', { variant: 'v2' })).result();
        expect(await online(both)).toEqual(ONLINE.second);
      } finally {
        await client.close();
      }
    }, 180_000);
  });
}
