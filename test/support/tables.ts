import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { ALL_TIME } from '../../definitions/interval.js';
import { bank } from '../fixtures/bank.js';
import { createWorld, type World } from './world.js';
import { startWorkerProcess } from './worker-process.js';

let world: World;

/** Days 1 and 2 of three customers; the timestamp has no zone, the amount is numeric, as in most people's tables. */
const ROWS = [
  ['C1', '10.5', '2026-01-01 10:00:00', false],
  ['C1', '20', '2026-01-01 11:00:00.000001', true],
  ['C2', '5.25', '2026-01-01 23:59:59.999999', false],
  ['C1', '30', '2026-01-02 09:00:00', false],
  ['C3', '7', '2026-01-02 12:00:00', true],
] as const;

async function place(): Promise<{ name: string; schema: string }> {
  const name = `b${randomBytes(5).toString('hex')}`;
  const schema = `${name}_data`;
  await world.pg.query(`CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.transactions (transactionid serial, customerid varchar(20), transactionamount numeric(12, 2), "timestamp" timestamp, isfraud boolean)`);
  await insert(schema, ROWS);
  return { name, schema };
}

async function insert(schema: string, rows: readonly (readonly unknown[])[]): Promise<void> {
  for (const row of rows)
    await world.pg.query(
      `INSERT INTO ${schema}.transactions (customerid, transactionamount, "timestamp", isfraud) VALUES ($1, $2, $3, $4)`,
      [...row],
    );
}

async function remove(name: string, schema: string): Promise<void> {
  await world.pg.query(
    `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev CASCADE`,
  );
}

/** The training rows of a day by plain SQL: customer, time, average over what was there before the day's end, last amount so far, label. */
async function expected(schema: string, day: string): Promise<unknown[][]> {
  const { rows } = await world.pg.query<unknown[]>({
    rowMode: 'array',
    text: `SELECT customerid, to_char("timestamp", 'YYYY-MM-DD"T"HH24:MI:SS.US'),
      (SELECT avg(transactionamount)::float8::real::float8 FROM ${schema}.transactions a WHERE a.customerid = l.customerid AND a."timestamp" < $1::date + 1),
      (SELECT transactionamount::float8 FROM ${schema}.transactions f WHERE f.customerid = l.customerid AND f."timestamp" <= l."timestamp" ORDER BY f."timestamp" DESC LIMIT 1), isfraud
      FROM ${schema}.transactions l WHERE "timestamp" >= $1::date AND "timestamp" < $1::date + 1 ORDER BY 1, 2`,
    values: [day],
  });
  return rows;
}

async function found(
  client: GranaryClient,
  training: ReturnType<typeof bank>['training'],
  date: string,
): Promise<unknown[][]> {
  const set = await client.trainingSet(training, { date });
  const rows: unknown[][] = [];
  for await (const row of set.rows()) {
    const [id, time, ...rest] = Object.values(row) as [
      string,
      { micros: bigint; toDate(): Date },
      ...unknown[],
    ];
    const micros = String(time.micros % 1_000_000n).padStart(6, '0');
    rows.push([id, `${time.toDate().toISOString().slice(0, 19)}.${micros}`, ...rest]);
  }
  return rows;
}

const staged = async (name: string): Promise<string[]> =>
  (
    await world.pg.query<{ tablename: string }>(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'granary_${name}_dev_offline' AND tablename LIKE '\\_\\_stage%'`,
    )
  ).rows.map((row) => row.tablename);

/** Runs over tables of a database, also with the worker killed at these points. */
export function tableRuns(points: readonly CrashPoint[]): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe('sources in Postgres', () => {
    it('are transformed there, joined there and served online; days are kept apart, what is staged goes away', async () => {
      const { name, schema } = await place();
      const { project, average, last, training } = bank(name, schema);
      world.uses(project);
      await world.withWorker(project, async (client) => {
        for (const date of ['2026-01-01', '2026-01-02'])
          await (await client.run('bank_daily', { date })).result();
        for (const day of ['2026-01-01', '2026-01-02'])
          expect(await found(client, training, day)).toEqual(await expected(schema, day));
        const keys = [{ user_id: 'C1' }, { user_id: 'C2' }, { user_id: 'C4' }];
        const values = (await client.features(average, keys)).map((row) => JSON.stringify(row));
        expect(values[0]).toContain('20.16666');
        expect(values[1]).toContain('5.25');
        expect(values[2]).toContain('null');
        expect(JSON.stringify(await client.features(last, keys))).toMatch(/30.*5\.25.*null/);
        const days = await world.pg.query(
          `SELECT __interval_start::date::text AS day, count(*)::int AS n FROM granary_${name}_dev_offline.average_user_transaction GROUP BY 1 ORDER BY 1`,
        );
        expect(days.rows).toEqual([
          { day: '2026-01-01', n: 2 },
          { day: '2026-01-02', n: 3 },
        ]);
        expect(await staged(name)).toEqual([]);
        // A table has no versions: a later run reads it anew.
        await insert(schema, [['C2', '100', '2026-01-02 13:00:00', false]]);
        await (await client.run('bank_daily', { date: '2026-01-02' })).result();
        expect(await found(client, training, '2026-01-02')).toEqual(await expected(schema, '2026-01-02'));
        expect(JSON.stringify(await client.features(last, keys))).toMatch(/30.*100/);
      });
      await remove(name, schema);
    });

    it('without a pipeline are of all of time: each run reads anew, and replaces what was there', async () => {
      const { name, schema } = await place();
      const { project, average, last, training, spent } = bank(name, schema, {
        lake: join(world.folder, name),
        unscheduled: true,
      });
      world.uses(project);
      const { start: from, end: to } = ALL_TIME;
      const run = (type: string, what: object): Promise<unknown> =>
        world.temporal.workflow.execute(type, {
          taskQueue: `granary-${name}-dev`,
          workflowId: `${type}/${name}/${randomBytes(4).toString('hex')}`,
          args: [{ ...what, from, to }],
        });
      const all = async (): Promise<void> => {
        await run('materialize', { view: 'avg_transactions' });
        await run('materialize', { view: 'last_amount' });
        await run('trainingSet', { trainingSet: 'fraud_training' });
        await run('trainingSet', { trainingSet: 'spent_training' });
      };
      const shares = async (client: GranaryClient): Promise<unknown[]> => {
        const rows: unknown[] = [];
        for await (const row of (await client.trainingSet(spent)).rows())
          rows.push([row.share, row.last_amount]);
        return rows;
      };
      const read = async (client: GranaryClient): Promise<unknown[][]> => {
        const rows: unknown[][] = [];
        for await (const row of (await client.trainingSet(training)).rows())
          rows.push([row.avg_transactions, row.last_amount, row.fraudulent]);
        return rows;
      };
      await world.withWorker(project, async (client) => {
        await all();
        expect(await read(client)).toEqual([
          [Math.fround(60.5 / 3), 10.5, false],
          [Math.fround(60.5 / 3), 20, true],
          [Math.fround(60.5 / 3), 30, false],
          [5.25, 5.25, false],
          [7, 7, true],
        ]);
        // The sum over the average is the number of rows.
        expect((await shares(client)).sort()).toEqual([
          [1, 5.25],
          [1, 7],
          [3, 10.5],
          [3, 20],
          [3, 30],
        ]);
        await insert(schema, [['C2', '94.75', '2026-01-03 00:00:00', true]]);
        await all();
        expect((await read(client)).slice(3)).toEqual([
          [50, 5.25, false],
          [50, 94.75, true],
          [7, 7, true],
        ]);
        expect(await client.features(average, [{ user_id: 'C2' }])).toMatchObject([
          { values: { avg_transactions: 50 } },
        ]);
        expect(await client.features(last, [{ user_id: 'C2' }])).toMatchObject([
          { values: { last_amount: 94.75 } },
        ]);
        const { rows } = await world.pg.query(
          `SELECT count(*)::int AS n FROM granary_${name}_dev_offline.average_user_transaction`,
        );
        expect(rows).toEqual([{ n: 3 }]);
        expect(await staged(name)).toEqual([]);
      });
      await remove(name, schema);
    });

    it.each(points)('a worker killed at %s: another ends the run, with the same values', async (point) => {
      const { name, schema } = await place();
      const { project, average, training } = bank(name, schema);
      world.uses(project);
      const env = { BANK_NAME: name, BANK_SCHEMA: schema };
      const file = 'test/fixtures/bank-project.ts';
      const client = await GranaryClient.connect({ project });
      try {
        await using killed = await startWorkerProcess({
          project: file,
          env,
          armed: { point, action: 'wait' },
        });
        const run = await client.run('bank_daily', { date: '2026-01-01' });
        await killed.told(point);
        await killed.signal('SIGKILL');
        await using _other = await startWorkerProcess({ project: file, env });
        await run.result();
        expect(await found(client, training, '2026-01-01')).toEqual(await expected(schema, '2026-01-01'));
        expect(JSON.stringify(await client.features(average, [{ user_id: 'C1' }]))).toContain('15.25');
        expect(await staged(name)).toEqual([]);
      } finally {
        await client.close();
        await remove(name, schema);
      }
    });
  });
}
