import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GranaryClient, PipelinePlan, RunHandle } from '../../client/index.js';
import { pipelineText } from '../../cli/plan.js';
import type { BuildContext } from '../../definitions/index.js';
import { SALES, shop, shopIn, totalsOf, writeSales } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `p${randomBytes(5).toString('hex')}`;
const ok = async (run: Promise<RunHandle>): Promise<unknown> => (await run).result();
const states = ({ ranges }: PipelinePlan): unknown[] =>
  ranges.map(({ state, span, intervals }) => [state, span.start.slice(8, 10), intervals]);
const planned = async (client: GranaryClient, over = {}): Promise<PipelinePlan> => {
  const { pipelines } = await client.plan(over);
  expect(pipelines).toHaveLength(1);
  return pipelines[0] as PipelinePlan;
};

/** A sale of the first day that came late. */
const LATE = `${SALES} UNION ALL SELECT 1::BIGINT, TIMESTAMP '2026-01-01 11:00:00', 3.0::DOUBLE`;

describe('a plan', () => {
  it('shows holes before the first output, between days and after a failure, and what late rows and a new definition make stale', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const fails = totalsOf({
      build: async function* ({ interval }: BuildContext) {
        await Promise.resolve();
        if (interval.start.startsWith('2026-01-05')) throw new Error('the 5th cannot be made');
        yield { user_id: 1n, event_timestamp: interval.end, total: 1, n: 1n };
      },
    });
    const { project } = await shop(name, folder, { retries: { max: 0, delay: '1s' } });
    const other = shopIn(name, folder, { totals: fails, retries: { max: 0, delay: '1s' } }).project;
    await world.withWorker(project, async (client) => {
      expect(states(await planned(client)), 'nothing was run').toEqual([['missing', '01', 9]]);

      for (const date of ['2026-01-02', '2026-01-03']) await ok(client.run('shop_daily', { date }));
      expect(states(await planned(client)), 'two days').toEqual([
        ['missing', '01', 1],
        ['valid', '02', 2],
        ['missing', '04', 6],
      ]);
      expect(states(await planned(client, { from: '2026-01-02', to: '2026-01-04' }))).toEqual([
        ['valid', '02', 2],
      ]);

      await writeSales(folder, LATE);
      await ok(client.run('shop_daily', { date: '2026-01-02', targets: ['source/totals'] }));
      const late = await planned(client);
      expect(states(late), 'a feature set that was built again').toEqual([
        ['missing', '01', 1],
        ['stale', '02', 2],
        ['missing', '04', 6],
      ]);
      expect(late.ranges[1]?.reasons.join('\n')).toMatch(
        /trainingSet\/large_purchases.*source\/totals.* has other versions now of 2026-01-02/,
      );
      expect(late.ranges[1]?.reasons.join('\n')).toMatch(/view\/totals.* was loaded from another version/);

      for (const date of ['2026-01-02', '2026-01-03']) await ok(client.run('shop_daily', { date }));
      expect(states(await planned(client))[1], 'made again').toEqual(['valid', '02', 2]);
    });
    await world.withWorker(other, async (client) => {
      const changed = await planned(client);
      expect(states(changed), 'another definition').toEqual([
        ['missing', '01', 1],
        ['stale', '02', 2],
        ['missing', '04', 6],
      ]);
      expect(changed.ranges[1]?.reasons[0]).toMatch(
        /^source\/totals\.\w+ was not made, but its variant \w+ was$/,
      );
      await expect(ok(client.run('shop_daily', { date: '2026-01-05' }))).rejects.toThrow();
      const failed = await planned(client);
      expect(states(failed)[3]).toEqual(['failed', '05', 1]);
      expect(failed.ranges[3]?.reasons[0]).toMatch(/the 5th cannot be made/);
      expect(failed.counts).toEqual({ missing: 6, stale: 2, failed: 1 });
      expect(pipelineText(failed, '')).toMatch(
        /^\nPipeline shop_daily, 2026-01-01 \.\. 2026-01-10: 9 intervals: 6 missing, 2 stale, 1 failed\n/,
      );
      await expect(client.plan({ pipelines: ['shop_dayly'] })).rejects.toThrow(
        /no pipeline "shop_dayly".*shop_daily/,
      );
    });
  });
});
