import { randomBytes } from 'node:crypto';
import { mkdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/client';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { intervalEnd, sql } from '../../definitions/index.js';
import { sales, shop, totalsOf, type Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { probeReaders } from '../support/reader-probe.js';
import { seen, watchedShop } from '../support/rolled-back.js';
import { createWorld, type World } from '../support/world.js';

/**
 * The second day's input is bad. Its run fails with what is wrong and where; meanwhile, and afterwards, readers see the first day as it was;
 * and once the input is mended, the second day's run succeeds.
 */
let servers: OwnServers;
let world: World;
beforeAll(async () => {
  // A Redis of its own, whose memory may be limited.
  servers = await ownServers(['redis']);
  world = await createWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

const DAYS = ['2026-01-02', '2026-01-03'] as const;

/** Sales that a day brings: one file a day. */
const good = (day: number): string =>
  `SELECT * FROM (VALUES (1::BIGINT, TIMESTAMP '2026-01-0${day} 10:00:00', ${day}.5::DOUBLE), (2, TIMESTAMP '2026-01-0${day} 11:00:00', 2.25)) t(user_id, sold_at, amount)`;

interface BadInput {
  readonly what: string;
  readonly code: string;
  readonly message: RegExp;
  /** Puts the second day's input there, and something wrong. */
  readonly spoil: (file: string) => Promise<void>;
  /** Mends what the good input alone does not. */
  readonly mend?: () => Promise<void>;
  /** What is summed; default: the amount. */
  readonly amount?: ReturnType<typeof sql>;
  /** The feature set itself is right; only the view cannot take it. */
  readonly onlyOnline?: true;
}

const put = async (file: string, rows: string): Promise<void> => {
  await rm(file, { force: true });
  await query(`COPY (${rows}) TO '${file}' (FORMAT parquet)`);
};

const CASES: readonly BadInput[] = [
  {
    what: 'a poison row, which the SQL cannot take',
    code: 'QueryFailed',
    message: /totals.*Could not cast value 1000.*DECIMAL\(18,2\)/s,
    amount: sql`CAST(amount AS DECIMAL(18, 2))`,
    spoil: (file) => put(file, good(3).replace('2.25', '1e30')),
  },
  {
    what: 'a poison row, which a rule refuses',
    code: 'ValidationFailed',
    message: /totals .*was not published.*previous version stays/s,
    spoil: (file) => put(file, `${good(3)} UNION ALL SELECT 3, TIMESTAMP '2026-01-03 12:00:00', NULL`),
  },
  {
    what: 'a poison row, which the view cannot take',
    code: 'ValueOutOfRange',
    message: /total.*float32|float32.*total/s,
    spoil: (file) => put(file, good(3).replace('3.5::DOUBLE', '1e300::DOUBLE')),
    onlyOnline: true,
  },
  {
    what: 'a truncated file',
    code: 'SourceInvalid',
    message: /sales.*sales-3\.parquet/s,
    spoil: async (file) => {
      await put(file, good(3));
      await truncate(file, 200);
    },
  },
  {
    what: 'a column that changes its type between two days',
    code: 'SchemaMismatch',
    message: /sales.*amount/s,
    spoil: (file) => put(file, good(3).replace('3.5::DOUBLE', "'3.5'").replace('2.25', "'2.25'")),
  },
  {
    what: 'an online store that is out of memory',
    code: 'ResourcesExhausted',
    message: /redis at .*memory limit \(maxmemory\)/,
    spoil: async (file) => {
      await put(file, good(3));
      await limitRedis('1');
    },
    mend: () => limitRedis('0'),
    onlyOnline: true,
  },
];

async function limitRedis(bytes: string): Promise<void> {
  const redis = new Redis(process.env['REDIS_URL'] ?? '');
  await redis.config('SET', 'maxmemory', bytes);
  redis.disconnect();
}

/** A shop with the first day's sales. */
async function opened({ amount = sql`amount` }: BadInput): Promise<Shop & { readonly raw: string }> {
  const name = `i${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const made = await shop(name, folder, {
    totals: totalsOf({
      build: sql`SELECT user_id, ${intervalEnd} AS event_timestamp, CAST(sum(${amount}) AS DOUBLE) AS total, count(*) AS n FROM ${sales} GROUP BY user_id`,
    }),
    retries: { max: 1, delay: '1s' },
  });
  const raw = join(folder, 'raw');
  await rm(join(raw, 'sales.parquet'));
  await mkdir(raw, { recursive: true });
  await put(join(raw, 'sales-2.parquet'), good(2));
  return { ...made, raw };
}

describe('the second day meets', () => {
  it.each(CASES.map((each) => [each.what, each] as const))('%s', async (_what, bad) => {
    const shop = await opened(bad);
    const file = join(shop.raw, 'sales-3.parquet');
    await world.withWorker(shop.project, async (client) => {
      await (await client.run('shop_daily', { date: DAYS[0] })).result();
      const before = await seen(world, shop);
      await using probe = await probeReaders(world, watchedShop(shop));
      await bad.spoil(file);
      const failure = await failureOf((await client.run('shop_daily', { date: DAYS[1] })).result());
      // Whatever reads the input fails by itself; what is downstream says whose fault it is.
      expect(codesOf(failure)).toContain(bad.code);
      expect(failure.message).toMatch(bad.message);
      const after = await seen(world, shop);
      if (bad.onlyOnline) expect(after.online).toEqual(before.online);
      else expect(after).toEqual(before);

      await bad.mend?.();
      await put(file, good(3));
      await (await client.run('shop_daily', { date: DAYS[1] })).result();
      const [first, second] = (await seen(world, shop)).online as Record<string, unknown>[];
      expect(first).toMatchObject({ total: 6, n: 2n, at: '2026-01-04T00:00:00Z' });
      expect(second).toMatchObject({ total: 4.5, n: 2n, at: '2026-01-04T00:00:00Z' });
      await probe.verify();
    });
  });
});

/** The codes of the steps that failed. */
const codesOf = ({ details }: ApplicationFailure): string[] =>
  (details?.[0] as { failures: { code: string }[] }).failures.map(({ code }) => code);
