import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import type { Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { withSchedules } from '../support/with-schedules.js';
import { createWorld, type World } from '../support/world.js';

/** A sale is a row of the label's source and of the features' source at once: one that comes late changes both. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Three users, a sale of each on each of seven days, with fractions that float64 does not add up exactly. */
const SALES = `SELECT u::BIGINT AS user_id, TIMESTAMP '2026-01-01' + (d * 24 + 7 + u) * INTERVAL 1 HOUR AS sold_at, (d * 3 + u * 5.1 + 0.1)::DOUBLE AS amount
  FROM range(0, 7) days(d), range(1, 4) users(u)`;
const BOUNDS = { startDate: '2026-01-01', endDate: '2026-01-08' };
const tick = (day: number): string => `2026-01-0${day + 1}T00:00:00Z`;

const late = (folder: string, file: string, rows: string): Promise<unknown> =>
  query(
    `COPY (SELECT * FROM (VALUES ${rows}) t(user_id, sold_at, amount)) TO '${join(folder, 'raw', `sales-${file}.parquet`)}' (FORMAT parquet)`,
  );

const text = (rows: readonly Record<string, unknown>[]): string[] =>
  rows.map((row) =>
    Object.values(row)
      .map((value) => String(value))
      .join(' '),
  );

/** The training rows of some days as readers of the files see them. */
async function found(client: GranaryClient, { set }: Shop, days: string): Promise<string[]> {
  const { uris } = await client.trainingSet(set);
  const files = uris.map((uri) => `'${uri.replace(/^file:\/\//, '')}'`).join(', ');
  const rows = await query(
    `SELECT user_id, strftime(sold_at, '%d %H:%M') AS at, total, n, large FROM read_parquet([${files}]) WHERE day(sold_at) ${days} ORDER BY ALL`,
  );
  return text(rows);
}

/** What they are when all sales are there from the beginning: the features as of the midnight before, by plain SQL. */
const whole = async (folder: string, days: string): Promise<string[]> =>
  text(
    await query(
      `WITH s AS (SELECT * FROM read_parquet('${folder}/raw/*.parquet'))
       SELECT user_id, strftime(sold_at, '%d %H:%M') AS at,
         (SELECT sum(amount)::FLOAT FROM s f WHERE f.user_id = l.user_id AND f.sold_at < date_trunc('day', l.sold_at)) AS total,
         (SELECT nullif(count(*), 0) FROM s f WHERE f.user_id = l.user_id AND f.sold_at < date_trunc('day', l.sold_at)) AS n,
         amount > 15 AS large
       FROM s l WHERE day(sold_at) ${days} ORDER BY ALL`,
    ),
  );

it('late labels and late features that come within the lookback: daily runs leave the training set that one whole build makes', async () => {
  const pipelines = { daily: { ...BOUNDS, lookback: 2 } };
  await withSchedules(
    world,
    pipelines,
    async ({ client, fire, folder, shop }) => {
      for (const day of [1, 2, 3, 4]) await fire(tick(day));
      await late(
        folder,
        'a',
        `(1::BIGINT, TIMESTAMP '2026-01-03 09:30:00', 77.7::DOUBLE), (3, TIMESTAMP '2026-01-04 23:59:59', 0.3)`,
      );
      const fifth = await fire(tick(5));
      expect(fifth.intervals?.map(({ interval }) => interval.end)).toEqual([tick(3), tick(4), tick(5)]);
      // A user that nobody knew.
      await late(folder, 'b', `(9::BIGINT, TIMESTAMP '2026-01-04 12:00:00', 1.1::DOUBLE)`);
      await fire(tick(6));
      await late(folder, 'c', `(9::BIGINT, TIMESTAMP '2026-01-06 00:00:00', 20.2::DOUBLE)`);
      await fire(tick(7));
      const rows = await found(client, shop, '<= 7');
      expect(rows).toEqual(await whole(folder, '<= 7'));
      expect(rows.length).toBe(3 * 7 + 4);
      const [plan] = (await client.plan()).pipelines;
      expect(plan?.counts).toEqual({ valid: 7 });

      // The same from one backfill of another project that finds all sales there.
      const name = `w${randomBytes(5).toString('hex')}`;
      const other = scheduledShop(name, folder, pipelines, { training: true, lake: join(folder, 'whole') });
      await world.withWorker(other.project, async (built) => {
        const { status } = await (
          await built.backfill({ pipeline: 'daily', ...{ from: '2026-01-01', to: '2026-01-08' } })
        ).result();
        expect(status).toBe('COMPLETED');
        expect(await found(built, other, '<= 7')).toEqual(rows);
      });
    },
    () => ({ training: true, rows: SALES }),
  );
}, 300_000);

it('what lies before the lookback stays as it was, and a plan says that it is stale once features that it read were made again', async () => {
  const pipelines = {
    features: { ...BOUNDS, lookback: 4, targets: ['view/totals'] },
    training: { ...BOUNDS, lookback: 1 },
  };
  await withSchedules(
    world,
    pipelines,
    async ({ client, fire, folder, shop }) => {
      const both = async (day: number): Promise<void> => {
        await fire(tick(day), 'features');
        await fire(tick(day), 'training');
      };
      for (const day of [1, 2, 3, 4, 5, 6]) await both(day);
      const before = await found(client, shop, '<= 5');
      await late(folder, 'a', `(1::BIGINT, TIMESTAMP '2026-01-03 09:30:00', 77.7::DOUBLE)`);
      await both(7);
      expect(await found(client, shop, '<= 5')).toEqual(before);
      expect(await found(client, shop, '>= 6')).toEqual(await whole(folder, '>= 6'));
      const ranges = async () =>
        (await client.plan({ pipelines: ['training'] })).pipelines[0]?.ranges.map(({ state, span }) => [
          state,
          span.start.slice(8, 10),
          span.end.slice(8, 10),
        ]);
      // The 3rd has no late sale in its features, and that its labels lack one nobody knows who has not looked.
      expect(await ranges()).toEqual([
        ['valid', '01', '04'],
        ['stale', '04', '06'],
        ['valid', '06', '08'],
      ]);
      await (await client.backfill({ pipeline: 'training', reprocess: 'stale' })).result();
      expect(await ranges()).toEqual([['valid', '01', '08']]);
      expect(await found(client, shop, '>= 4')).toEqual(await whole(folder, '>= 4'));
      // All of it, by a backfill that looks at everything.
      await (await client.backfill({ pipeline: 'training', reprocess: 'all' })).result();
      expect(await found(client, shop, '<= 7')).toEqual(await whole(folder, '<= 7'));
    },
    () => ({ training: true, rows: SALES }),
  );
}, 300_000);
