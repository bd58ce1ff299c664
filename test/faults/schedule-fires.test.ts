import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GranaryClient, type RunResult } from '../../client/index.js';
import { Timestamp, type BuildContext } from '../../definitions/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { totalsOf, writeSales } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const DAY = 86_400_000;

it('the clock starts a run each minute; one that found no worker is made once there is one, for the minute that ended at its tick', async () => {
  const name = `f${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const totals = totalsOf({
    build: async function* ({ interval }: BuildContext) {
      await Promise.resolve();
      yield { user_id: 1n, event_timestamp: Timestamp.from(interval.end), total: 1, n: 1n };
    },
  });
  const startDate = new Date(Date.now() - DAY).toISOString().slice(0, 10);
  const minutely = { schedule: { cron: '* * * * *' }, startDate };
  const { project } = scheduledShop(name, folder, { minutely }, { totals });
  world.uses(project);
  const client = await GranaryClient.connect({ project });
  const handle = world.temporal.schedule.getHandle(`${name}_dev/minutely`);
  const started = async (): Promise<string[]> =>
    (await handle.describe()).info.recentActions.flatMap(({ action }) =>
      action.type === 'startWorkflow' ? [action.workflow.workflowId] : [],
    );
  try {
    await client.schedules.apply();
    // Nobody triggers it: this waits for the clock.
    await expect.poll(started, { interval: 250, timeout: 90_000 }).not.toEqual([]);
    const [workflowId = ''] = await started();
    expect(await world.registry(project, `SELECT to_regclass('{schema}.runs') AS runs`)).toEqual([
      { runs: null },
    ]);
    await world.withWorker(project, async () => {
      const result = (await world.temporal.workflow.getHandle(workflowId).result()) as RunResult;
      const tick = workflowId.replace(/^.*minutely-/, '');
      expect(result.interval.end).toBe(tick);
      expect(Date.parse(tick) - Date.parse(result.interval.start)).toBe(60_000);
      expect(result.steps.map(({ outcome }) => outcome)).toEqual(['made', 'made']);
    });
  } finally {
    await client.schedules.delete('minutely');
    await client.close();
  }
}, 180_000);
