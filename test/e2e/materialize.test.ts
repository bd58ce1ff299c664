import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureView, pipeline } from 'granary';
import type { GranaryClient, RunResult } from '../../client/index.js';
import { featureField } from '../../feast/redis-layout.js';
import { online, sales, shop, shopIn, user, writeSales } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { shopCommand } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `m${randomBytes(5).toString('hex')}`;

/** A view straight over the raw sales, beside the one over the feature set. */
const lastSale = featureView('last_sale', { entities: [user], source: sales, features: ['amount'], online });
const salesDaily = pipeline('sales_daily', {
  targets: [lastSale],
  schedule: { cron: '0 0 * * *' },
  startDate: '2026-01-01',
  endDate: '2026-01-10',
});

/** Records the feature set's versions of some days, and loads nothing. */
async function record(client: GranaryClient, dates: readonly string[], rebuild = false): Promise<void> {
  for (const date of dates)
    await (await client.run('shop_daily', { date, targets: ['source/totals'], rebuild })).result();
}

/** What a run says of each view: its outcome, the intervals that it loaded, and those that were valid. */
const intervals = ({ steps }: RunResult): unknown[] =>
  steps.map(({ step, outcome, intervals: of }) => [step.replace(/\..*/, ''), outcome, of?.loaded, of?.valid]);

const load = async (client: GranaryClient, options: Parameters<GranaryClient['materialize']>[0]) =>
  await (await client.materialize(options)).result();

describe('client.materialize', () => {
  it('loads whatever the ledger lacks, gaps and days that were built again late as well, and nothing twice', async () => {
    const name = unique();
    const { project, view } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async (client) => {
      await record(client, ['2026-01-01', '2026-01-03']);
      const run = await client.materialize({ views: [view] });
      const first = await run.result();
      expect(await run.loads()).toEqual([
        {
          step: expect.stringMatching(/^view\/totals\./) as unknown,
          ...{ state: 'done', total: 3, written: 3, older: 0, skipped: 0 },
        },
      ]);
      expect(intervals(first)).toEqual([['view/totals', 'made', 2, 0]]);
      expect(first.steps[0]).toMatchObject({
        loaded: { written: 3, older: 0, unchanged: 0 },
        check: { compared: 3, newer: 0, missing: 0, different: 0 },
      });
      // The third day's rows: 10 + 20 of the first user. A watermark would never come back to the second day.
      expect((await client.features(view, [{ user_id: 1n }]))[0]?.values).toEqual({ total: 30, n: 2n });
      await record(client, ['2026-01-02']);
      const gap = await load(client, {});
      expect(intervals(gap)).toEqual([['view/totals', 'made', 1, 2]]);
      expect(gap.steps[0]).toMatchObject({ loaded: { written: 0, older: 3 }, check: { newer: 3 } });
      expect(intervals(await load(client, { views: ['totals'] }))).toEqual([
        ['view/totals', 'current', 0, 3],
      ]);
      await writeSales(
        join(world.folder, name),
        `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02 10:00:00' AS sold_at, 7.0::DOUBLE AS amount`,
      );
      await record(client, ['2026-01-03'], true);
      expect(intervals(await load(client, {}))).toEqual([['view/totals', 'made', 1, 2]]);
      expect((await client.features(view, [{ user_id: 1n }]))[0]?.values).toEqual({ total: 7, n: 1n });
    });
  });

  it('loads several views of one window: recorded intervals, and the rows of raw sources', async () => {
    const name = unique();
    const { project, view } = await shop(name, join(world.folder, name), { more: [salesDaily] });
    await world.withWorker(project, async (client) => {
      await record(client, ['2026-01-01', '2026-01-02', '2026-01-03']);
      const window = { from: '2026-01-02', to: '2026-01-03T09:00:00+09:00' };
      const result = await load(client, window);
      expect(result.interval).toEqual({ start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' });
      expect(intervals(result).sort()).toEqual([
        ['view/last_sale', 'made', undefined, undefined],
        ['view/totals', 'made', 1, 0],
      ]);
      const at = (await client.features(view, [{ user_id: 1n }]))[0]?.eventTime;
      expect(at?.toString()).toBe('2026-01-03T00:00:00Z');
      const users = [1n, 2n, 9007199254740993n].map((user_id) => ({ user_id }));
      // The third user's only sale is of the day before the window.
      expect((await client.features(lastSale, users)).map(({ values }) => values.amount)).toEqual([
        20,
        5.5,
        null,
      ]);
      expect(intervals(await load(client, window)).sort()).toEqual([
        ['view/last_sale', 'current', undefined, undefined],
        ['view/totals', 'current', 0, 1],
      ]);
      const partly = await load(client, { views: [view], from: '2026-01-03T12:00:00Z', to: '2999-01-01' });
      expect(partly).toMatchObject({ steps: [] });
      expect(partly.notes).toEqual([
        expect.stringMatching(/"to" is 2999-01-01T00:00:00Z, which lies in the future/),
        expect.stringMatching(/^view\/totals\.\w+: 2026-01-03 lies in the window in part, and is left out/),
        expect.stringMatching(/source\/totals\.\w+ has no version in \[2026-01-03T12:00:00Z, 2999/),
      ]);
      for (const [options, code, message] of [
        [{ from: '2026-01-03', to: '2026-01-02' }, 'InvalidInterval', /is reversed/],
        [{ from: '2026-01-03', to: '2026-01-03' }, 'InvalidInterval', /is empty/],
        [{ from: 'yesterday' }, 'InvalidInput', /from: "yesterday" is no time.*-36h, -2d/],
        [{ views: ['total'] }, 'UnknownResource', /there is no feature view "total".*totals/],
      ] as const)
        expect(await failureOf(load(client, options))).toMatchObject({
          type: code,
          message: expect.stringMatching(message) as unknown,
        });
    });
  });

  it('says so when nothing is recorded', async () => {
    const name = unique();
    const { project, view } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async (client) => {
      const all = await load(client, {});
      expect([all.steps, all.notes]).toEqual([
        [],
        [expect.stringMatching(/source\/totals\.\w+ has no version yet/)],
      ]);
      expect(await failureOf(load(client, { views: [view] }))).toMatchObject({
        type: 'SourceMissing',
        message: expect.stringMatching(/view\/totals\.\w+ cannot be loaded.*has no version yet/) as unknown,
      });
    });
  });
});

describe('the check after a load', () => {
  it('finds a row that was changed by hand, and leaves nothing recorded; the command says so and fails', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    await writeSales(folder);
    const { project } = shopIn(name, folder);
    const command = (...args: string[]) => shopCommand({ project }, folder, 'materialize', ...args);
    await world.withWorker(project, async (client) => {
      await record(client, ['2026-01-02']);
      const first = await command('totals', '--json');
      expect(first).toMatchObject({ status: 0 });
      expect(JSON.parse(first.stdout)).toMatchObject({
        workflowId: `materialize/${name}_dev/totals`,
        steps: [{ outcome: 'made', loaded: { written: 3 }, intervals: { loaded: 1, valid: 0 } }],
      });
      // Another value under the order of the load: the next load of the same version leaves it as it is.
      const [key] = await world.redis.keysBuffer(`*user_id*${name}_dev`);
      await world.redis.hset(
        key as Buffer,
        Buffer.from(featureField('totals', 'n')),
        Buffer.from([0x20, 99]),
      );
      await world.registry(project, `DELETE FROM {schema}.ledger WHERE target LIKE 'view/%'`);
      const failed = await command();
      expect(failed).toMatchObject({ status: 1 });
      // How often it was asked how far it is depends on the machine.
      expect(failed.stdout).toMatch(/^(view\/totals\.\w+: .*\n)*$/);
      expect(failed.stderr).toMatch(
        /totals: of 3 entities.*1 is not what was loaded\. \{user_id: \d+\}: the feature n is 99 online and \d offline.*\[OnlineMismatch\]/,
      );
      expect(
        await world.registry(project, `SELECT * FROM {schema}.ledger WHERE target LIKE 'view/%'`),
      ).toEqual([]);
    });
  });
});
