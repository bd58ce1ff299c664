import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorkerProcess } from '../support/worker-process.js';
import { addresses } from '../support/world.js';

const run = promisify(execFile);
const PROJECT = 'examples/fraud/definitions.ts';

/** What the table's average is for each transaction, in the order of a plain SELECT. */
const BY_HAND = {
  fraud_training: `SELECT a.average, t.isfraud FROM transactions t
    LEFT JOIN (SELECT customerid, avg(transactionamount)::real AS average FROM transactions GROUP BY 1) a USING (customerid)`,
  fraud_training_until: `SELECT (SELECT avg(b.transactionamount)::real FROM transactions b
      WHERE b.customerid = t.customerid AND b."timestamp" <= t."timestamp") AS average, t.isfraud FROM transactions t`,
} as const;

describe('the fraud example', () => {
  const database = `fraud_${randomBytes(5).toString('hex')}`;
  const url = new URL(addresses.postgres);
  url.pathname = `/${database}`;
  // A number of its own in Redis: the project's name is the example's, whoever runs it.
  const env = {
    FRAUD_DATABASE_URL: url.href,
    GRANARY_REGISTRY_URL: url.href,
    REDIS_URL: `${addresses.redis.replace(/\/\d*$/, '')}/7`,
  };
  const command = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, args, { env: { ...process.env, ...env }, maxBuffer: 1 << 26 })).stdout;
  const granary = (...args: string[]): Promise<string> => command('cli/granary.cjs', ...args);
  const script = (name: string, ...args: string[]): Promise<string> =>
    command('--import', 'tsx', `examples/fraud/${name}.ts`, ...args);
  const server = new pg.Pool({ connectionString: addresses.postgres, max: 1 });
  const rows = async (sql: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  let worker: Awaited<ReturnType<typeof startWorkerProcess>>;
  beforeAll(async () => {
    expect(await script('load-data')).toBe(
      'Loaded 20000 transactions of 500 customers, 597 of them fraud.\n',
    );
    worker = await startWorkerProcess({ project: PROJECT, env });
  });
  afterAll(async () => {
    await worker[Symbol.asyncDispose]();
    await server.query(`DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`);
    await server.end();
  });

  it('loads its data once', async () => {
    expect(await script('load-data')).toBe('Found 20000 transactions of 500 customers, 597 of them fraud.\n');
  });

  it.each([
    ['its generated transactions', undefined],
    [
      'a table of other types, with holes, in the same place',
      `DROP TABLE transactions; CREATE TABLE transactions (transactionid varchar(20), customerid varchar(20), customerdob varchar,
         custlocation varchar, custaccountbalance numeric(12,2), transactionamount integer, "timestamp" timestamp, isfraud boolean);
       INSERT INTO transactions VALUES ('T1','C5841053','10/1/94','JAMSHEDPUR',17819.05,25,'2022-04-09 11:33:09',false),
         ('T2','C1214240','4/4/57','JHAJJAR',2270.69,300,'2022-04-10 11:33:09',false),
         ('T3','C1214240','4/4/57','JHAJJAR',2270.69,338,'2022-04-11 11:33:09.000001',true), ('T4',NULL,NULL,NULL,NULL,3,'2022-04-11',true),
         ('T5','C9',NULL,NULL,NULL,NULL,'2022-04-12',false), ('T6','C9',NULL,NULL,NULL,5,NULL,false)`,
    ],
  ])(
    'is applied, learned from and served: %s',
    async (_, table) => {
      if (table !== undefined) {
        await rows(table);
        await rows('DROP SCHEMA granary_fraud_dev CASCADE');
      }
      const applied = await granary('apply', PROJECT);
      expect(applied).toMatch(/^Applying Run: [a-z]+_[a-z]+$/m);
      expect(applied).toMatch(/^Creating source transactions demo$/m);
      expect(applied).toMatch(/^COMPLETED\n Resource Type +Name \(Variant\) +Status +Error\n/m);
      expect(applied).toMatch(/^ TrainingSetVariant +fraud_training \(demo\) +READY$/m);
      expect(applied).not.toMatch(/FAILED|PENDING/);

      await rows('CREATE INDEX ON transactions (customerid, "timestamp")');
      for (const [set, sql] of Object.entries(BY_HAND)) {
        const exported = JSON.parse(
          await granary('preview', set, '--limit', '100000', '--json', '-p', PROJECT),
        ) as {
          rows: Record<string, unknown>[];
        };
        const key = (average: unknown, isfraud: unknown): string =>
          `${average === null ? 'null' : Math.fround(Number(average))} ${String(isfraud)}`;
        expect(exported.rows.map((row) => key(Object.values(row)[0], row['fraudulent'])).sort()).toEqual(
          (await rows(sql)).map((row) => key(row['average'], row['isfraud'])).sort(),
        );
      }
      expect(await script('training')).toMatch(
        /^(Features: \[(null|[\d.]+)\] , Label: \[(true|false)\]\n){6,25}$/,
      );
      const [customer] = await rows(
        'SELECT customerid, avg(transactionamount)::real AS average FROM transactions GROUP BY 1 HAVING count(transactionamount) > 1 AND customerid IS NOT NULL ORDER BY 1 LIMIT 1',
      );
      expect(await script('serving', String(customer?.['customerid']))).toBe(
        `[${Math.fround(Number(customer?.['average']))}]\n`,
      );
    },
    180_000,
  );
});
