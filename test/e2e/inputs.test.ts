import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import {
  featureSet,
  featureView,
  intervalEnd,
  intervalStart,
  label,
  pipeline,
  sql,
  t,
  Timestamp,
  trainingSet,
  type BuildContext,
  type Project,
} from '../../definitions/index.js';
import { lake, sales, shop, totalsOf, user, writeSales } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `i${randomBytes(5).toString('hex')}`;
const totals = totalsOf();
const row = (user_id: bigint, total: number, at: string) => ({
  user_id,
  event_timestamp: Timestamp.from(at),
  total,
  n: 1n,
});
const daily = (name: string, targets: Parameters<typeof pipeline>[1]['targets']) =>
  pipeline(name, {
    targets,
    schedule: { cron: '0 0 * * *' },
    startDate: '2026-01-01',
    endDate: '2026-01-10',
    retries: { max: 1, delay: '1s' },
  });
const rowsOf = (result: RunResult, step: string): number | undefined =>
  result.steps.find((s) => s.step.startsWith(step))?.rows;

describe('what a step reads', () => {
  it('is every label row of the interval, also by a time other than its source’s', async () => {
    const name = unique();
    // Sold on one day, returned on the next: the label's time is the return.
    const returns = lake.sql('returns', {
      query: sql`SELECT user_id, sold_at, sold_at + INTERVAL 1 DAY AS returned_at, true AS returned FROM ${sales} WHERE sold_at >= ${intervalStart}`,
      lookback: '0d',
      timestampField: 'sold_at',
      schema: { user_id: t.int64, sold_at: t.timestamp, returned_at: t.timestamp, returned: t.bool },
    });
    const set = trainingSet('returns_training', {
      label: label('returned', {
        entity: user,
        source: returns,
        key: 'user_id',
        value: 'returned',
        timestampField: 'returned_at',
      }),
      features: [featureView('offline', { entities: [user], source: totals, features: ['total'] })],
    });
    const { project } = await shop(name, join(world.folder, name), {
      totals,
      more: [daily('returns_daily', [set])],
    });
    await world.withWorker(project, async (client) => {
      const found: (number | undefined)[] = [];
      for (const date of ['2026-01-01', '2026-01-02', '2026-01-03'])
        found.push(rowsOf(await (await client.run('returns_daily', { date })).result(), 'trainingSet/'));
      // Two sales on the 1st and two on the 2nd come back a day later.
      expect(found).toEqual([0, 2, 2]);
    });
  });

  it('is no feature older than its view’s ttl', async () => {
    const name = unique();
    const sold = (day: number): string => `(1::BIGINT, TIMESTAMP '2026-01-0${day} 12:00:00', 1.0::DOUBLE)`;
    const { project, lake: stored } = await shop(name, join(world.folder, name), {
      rows: `SELECT * FROM (VALUES ${[1, 3, 5].map(sold).join(', ')}) t(user_id, sold_at, amount)`,
    });
    const found: unknown[] = [];
    await world.withWorker(project, async (client) => {
      // Features of the 1st are of midnight after it: a day and a half old on the 3rd, three and a half on the 5th; the view's ttl is two days.
      await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      for (const date of ['2026-01-03', '2026-01-05']) {
        const result = await (await client.run('shop_daily', { date })).result();
        const version = result.steps.find((step) => step.step.startsWith('trainingSet/'))?.version ?? '';
        found.push(
          (
            await query(`SELECT n FROM '${stored}/training_sets/large_purchases/${version}/features.parquet'`)
          )[0]?.['n'],
        );
        await world.pg.query(
          `DELETE FROM "granary_${name}_dev".ledger WHERE target LIKE 'source/totals%' AND interval_start >= '2026-01-02'`,
        );
      }
    });
    expect(found).toEqual([1n, null]);
  });

  it('is the label’s rows only once, when a view reads the label’s own source', async () => {
    const name = unique();
    const counts = lake.sql('counts', {
      query: sql`SELECT user_id, ${intervalEnd} AS counted_at, count(*) AS c, true AS seen FROM ${sales} GROUP BY user_id`,
      timestampField: 'counted_at',
      schema: { user_id: t.int64, counted_at: t.timestamp, c: t.int64, seen: t.bool },
    });
    const timeless = label('seen', { entity: user, source: counts, key: 'user_id', value: 'seen' });
    const own = featureView('own', { entities: [user], source: counts, features: ['c'] });
    const other = featureView('other', { entities: [user], source: totals, features: ['total'] });
    const sets = [
      trainingSet('with_own', { label: timeless, features: [own] }),
      trainingSet('without', { label: timeless, features: [other] }),
    ] as const;
    const { project } = await shop(name, join(world.folder, name), {
      totals,
      more: [daily('both', [...sets])],
    });
    await world.withWorker(project, async (client) => {
      for (const date of ['2026-01-02', '2026-01-03', '2026-01-04']) {
        const result = await (await client.run('both', { date })).result();
        expect(rowsOf(result, 'trainingSet/with_own')).toBe(rowsOf(result, 'trainingSet/without'));
      }
    });
  });

  it('is refused when a raw file is replaced while it is read', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project, lake: stored } = await shop(name, folder, {
      totals: totalsOf({
        build: async function* ({ inputs, interval }: BuildContext) {
          await writeSales(
            folder,
            `SELECT 77::BIGINT AS user_id, TIMESTAMP '2026-01-02 11:00:00' AS sold_at, 1000.0::DOUBLE AS amount`,
          );
          for await (const sale of inputs['sales']?.rows() ?? [])
            yield row(sale['user_id'] as bigint, 1, interval.end);
        },
      }),
    });
    await world.withWorker(project, async (client) => {
      const run = await client.run('shop_daily', { date: '2026-01-02', targets: ['source/totals'] });
      await expect(run.result()).rejects.toMatchObject({
        cause: {
          type: 'SourceInvalid',
          message: expect.stringMatching(
            /sales\.parquet of source sales changed while the run was reading it/,
          ) as unknown,
        },
      });
      expect(await query(`SELECT count(*) AS n FROM glob('${stored}/totals/**')`)).toEqual([{ n: 0n }]);
    });
  });
});

describe('a CSV source', () => {
  it('is read like a Parquet one: types, NULLs, zones, several files', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const visits = lake.csv('visits', {
      path: 'visits/*.csv',
      schema: { user_id: t.int64, seen_at: t.timestamp, page: t.string, seconds: t.float64 },
      timestampField: 'seen_at',
    });
    const pages = featureSet('pages', {
      store: lake,
      keys: ['user_id'],
      timestampField: 'event_timestamp',
      schema: { user_id: t.int64, event_timestamp: t.timestamp, visits: t.int64, seconds: t.float64 },
      build: sql`SELECT user_id, ${intervalEnd} AS event_timestamp, count(*) AS visits, sum(seconds) AS seconds FROM ${visits} GROUP BY user_id`,
    });
    const { project, lake: stored } = await shop(name, folder, { more: [daily('pages_daily', [pages])] });
    await mkdir(join(stored, 'visits'), { recursive: true });
    await writeFile(
      join(stored, 'visits', 'a.csv'),
      'user_id,seen_at,page,seconds\n9007199254740993,2026-01-02T00:00:00Z,"a, b",1.5\n1,2026-01-02 23:59:59.999999,,\n',
    );
    await writeFile(
      join(stored, 'visits', 'b.csv'),
      'user_id,seen_at,page,seconds\n1,2026-01-03T08:59:00+09:00,x,2.25\n1,2026-01-03T00:00:00Z,x,100\n',
    );
    await world.withWorker(
      project,
      async (client) => void (await (await client.run('pages_daily', { date: '2026-01-02' })).result()),
    );
    expect(
      await query(
        `SELECT user_id, visits, seconds FROM '${stored}/pages/latest/features.parquet' ORDER BY user_id`,
      ),
    ).toEqual([
      { user_id: 1n, visits: 2n, seconds: 2.25 },
      { user_id: 9007199254740993n, visits: 1n, seconds: 1.5 },
    ]);
  });
});

describe('a TypeScript build that saves checkpoints', () => {
  it('and is not disturbed stores every row once', async () => {
    const name = unique();
    const { project, lake: stored } = await shop(name, join(world.folder, name), {
      totals: totalsOf({
        build: async function* ({ interval, checkpoint }: BuildContext) {
          for (let i = 1; i <= 3; i++) {
            yield row(BigInt(i), i, interval.end);
            await checkpoint.save({ i });
          }
          yield row(4n, 4, interval.end);
        },
      }),
    });
    await world.withWorker(
      project,
      async (client) => void (await (await client.run('shop_daily', { date: '2026-01-02' })).result()),
    );
    expect(
      await query(
        `SELECT list(user_id ORDER BY user_id) AS users FROM '${stored}/totals/latest/features.parquet'`,
      ),
    ).toEqual([{ users: [1n, 2n, 3n, 4n] }]);
  });
});

describe('two runs that each own what the other needs', () => {
  it('do not wait for each other for ever', async () => {
    const name = unique();
    const targets = Array.from({ length: 6 }, (_, i) =>
      lake.sql(`part_${i}`, {
        query: sql`SELECT user_id, ${intervalEnd} AS at_end, count(*) AS c FROM ${sales} GROUP BY user_id`,
        timestampField: 'at_end',
        schema: { user_id: t.int64, at_end: t.timestamp, c: t.int64 },
      }),
    );
    const { project } = await shop(name, join(world.folder, name), { more: [daily('parts', targets)] });
    const start = (p: Project, id: string) =>
      world.temporal.workflow.start('pipeline', {
        taskQueue: `granary-${p.name}-dev`,
        workflowId: id,
        args: [{ pipeline: 'parts', date: '2026-01-02', rebuild: true }],
      });
    await world.withWorker(project, async () => {
      for (let round = 0; round < 3; round++) {
        const runs = await Promise.all([
          start(project, `${name}-a${round}`),
          start(project, `${name}-b${round}`),
          start(project, `${name}-c${round}`),
        ]);
        for (const run of runs) expect(((await run.result()) as RunResult).steps).toHaveLength(6);
      }
    });
  });
});

describe('materialize', () => {
  it('refuses a view that is not served online', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name), {
      totals,
      more: [featureView('offline', { entities: [user], source: totals, features: ['total'] })],
    });
    await world.withWorker(project, async () => {
      const run = world.temporal.workflow.execute('materialize', {
        taskQueue: `granary-${name}-dev`,
        workflowId: unique(),
        args: [{ view: 'offline', from: '2026-01-02', to: '2026-01-03' }],
      });
      await expect(run).rejects.toMatchObject({
        cause: {
          type: 'InvalidInput',
          message: expect.stringMatching(/offline is not served online/) as unknown,
        },
      });
    });
  });
});
