import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bank } from '../fixtures/bank.js';
import { randomOf, seedOf } from '../support/calendar.js';
import { expectNothingOpen } from '../support/nothing-open.js';
import { createWorld, type World } from '../support/world.js';

const seed = seedOf();
const CANCELS = 8;
const SPAN = { from: '2026-01-01', to: '2026-01-07', reprocess: 'all' } as const;

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

// Of what lies in files, test/faults/backfill.test.ts looks at the same.
it(`a backfill in a database leaves nothing staged or open, whenever it is cancelled (GRANARY_SEED=${seed})`, async () => {
  const random = randomOf(seed);
  const name = `c${randomBytes(5).toString('hex')}`;
  const schema = `${name}_data`;
  await world.pg.query(`CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.transactions (transactionid serial, customerid varchar(20), transactionamount numeric(12, 2), "timestamp" timestamp, isfraud boolean);
    INSERT INTO ${schema}.transactions (customerid, transactionamount, "timestamp", isfraud)
    SELECT 'C' || n % 500, n % 97, TIMESTAMP '2026-01-01' + n * INTERVAL '17 seconds', n % 7 = 0 FROM generate_series(1, 30000) n`);
  const { project } = bank(name, schema);
  try {
    await world.withWorker(project, async (client) => {
      const ends: Record<string, number> = {};
      for (let n = 0; n < CANCELS; n++) {
        const handle = await client.backfill({ ...SPAN, concurrency: 3 });
        await sleep(random() * 2500);
        await client.backfills.cancel(handle.name).catch((error: unknown) => {
          if (!(error instanceof Error && error.message.includes('has ended'))) throw error;
        });
        const { status, intervals } = await handle.result();
        ends[status] = (ends[status] ?? 0) + 1;
        expect(intervals.running).toBe(0);
        await expectNothingOpen(world, project);
      }
      expect(ends['CANCELLED'] ?? 0).toBeGreaterThan(0);
      expect(await (await client.backfill(SPAN)).result()).toMatchObject({ status: 'COMPLETED' });
      await expectNothingOpen(world, project);
      const { rows } = await world.pg.query(
        `SELECT __interval_start::date::text AS day, user_id, avg_transaction_amt AS amount FROM granary_${name}_dev_offline.average_user_transaction ORDER BY 1, 2`,
      );
      const expected = await world.pg.query(
        `SELECT d::date::text AS day, customerid AS user_id, avg(transactionamount)::float8 AS amount
         FROM generate_series(DATE '2026-01-01', DATE '2026-01-06', INTERVAL '1 day') d
         JOIN ${schema}.transactions ON "timestamp" < d + INTERVAL '1 day' GROUP BY 1, 2 ORDER BY 1, 2`,
      );
      expect(rows).toEqual(expected.rows);
    });
  } finally {
    await world.pg.query(
      `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
    );
  }
}, 240_000);
