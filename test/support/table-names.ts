import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import type { Project } from '../../definitions/index.js';
import { bankVariants } from '../fixtures/bank-variants.js';
import { startWorkerProcess, type Armed } from './worker-process.js';
import { createWorld, type World } from './world.js';

let world: World;

interface Bank {
  readonly name: string;
  readonly both: Project;
  readonly worker: { readonly project: string; readonly env: Readonly<Record<string, string>> };
}

/** One transaction, and both variants made of it. */
async function made(): Promise<Bank & AsyncDisposable> {
  const name = `n${randomBytes(5).toString('hex')}`;
  const schema = `${name}_data`;
  await world.pg.query(`CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.transactions (customerid text, transactionamount numeric, "timestamp" timestamp, isfraud boolean);
    INSERT INTO ${schema}.transactions VALUES ('C1', 10.5, '2026-01-01 10:00:00.000001', true)`);
  const { first, both } = bankVariants(name, schema);
  world.uses(both);
  const date = '2026-01-01';
  await world.withWorker(first, async (client) => {
    await (await client.run('bank_daily', { date })).result();
  });
  await world.withWorker(both, async (client) => {
    await (await client.run('bank_daily', { date, targets: ['trainingSet/fraud.v2'] })).result();
  });
  return {
    name,
    both,
    worker: {
      project: 'test/fixtures/bank-variants-project.ts',
      env: { BANK_NAME: name, BANK_SCHEMA: schema },
    },
    async [Symbol.asyncDispose]() {
      await world.pg.query(
        `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA granary_${name}_dev_offline CASCADE; DROP SCHEMA granary_${name}_dev CASCADE`,
      );
    },
  };
}

/** The sum in each table of the database, as somebody sees it who only knows the names. */
async function tables({ name }: Bank): Promise<Record<string, number>> {
  const schema = `granary_${name}_dev_offline`;
  const { rows } = await world.pg.query<{ tablename: string }>(
    `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE '\\_\\_granary%' ORDER BY 1`,
    [schema],
  );
  const sums: Record<string, number> = {};
  for (const { tablename } of rows) {
    const found = await world.pg.query<{ total: number }>(`SELECT total FROM ${schema}."${tablename}"`);
    sums[tablename] = found.rows[0]?.total ?? NaN;
  }
  return sums;
}

const FIRST = { totals: 10.5, totals_v2: 21, training_set__fraud: 10.5, training_set__fraud_v2: 21 };
const SECOND = { totals: 21, totals_v1: 10.5, training_set__fraud: 21, training_set__fraud_v1: 10.5 };
const MIXED = { totals: 21, totals_v1: 10.5, training_set__fraud: 10.5, training_set__fraud_v2: 21 };

/** What the client reads under a name. */
const previewed = async (client: GranaryClient, name: string): Promise<unknown[]> => {
  const set = await client.trainingSet(name);
  const rows: unknown[] = [];
  for await (const row of set.rows()) rows.push((row as { total: unknown }).total);
  return rows;
};

/** Promotes and deletes what lies in Postgres, with the worker killed at these points; undefined: not killed. */
export function tableNames(
  promoted: readonly Armed['point'][],
  removed: readonly (CrashPoint | undefined)[],
): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent('variants that lie in Postgres', () => {
    it('change names in promotions, both ways, and are made anew where they lie then', async () => {
      await using bank = await made();
      await world.withWorker(bank.both, async (client) => {
        expect(await tables(bank)).toEqual(FIRST);
        for (const id of ['source/totals', 'trainingSet/fraud'])
          await (await client.promote(id, { variant: 'v2' })).result();
        expect(await tables(bank)).toEqual(SECOND);
        expect(await previewed(client, 'fraud')).toEqual([21]);
        expect(await previewed(client, 'fraud.v1')).toEqual([10.5]);
        await world.pg.query(`UPDATE ${bank.name}_data.transactions SET transactionamount = 11`);
        // The pipeline is of the first variants.
        await (await client.run('bank_daily', { date: '2026-01-01' })).result();
        expect(await tables(bank)).toEqual({ ...SECOND, totals_v1: 11, training_set__fraud_v1: 11 });
        for (const id of ['source/totals', 'trainingSet/fraud'])
          await (await client.promote(id, { previous: true })).result();
        expect(await tables(bank)).toEqual({ ...FIRST, totals: 11, training_set__fraud: 11 });
        expect(await previewed(client, 'fraud')).toEqual([11]);
      });
    }, 180_000);

    it('are promoted online as well: the view over one of them, and back', async () => {
      await using bank = await made();
      await world.withWorker(bank.both, async (client) => {
        const served = async (): Promise<string> =>
          String(await client.features(['total:total'], { user_id: 'C1' }));
        for (const variant of ['v1', 'v2']) {
          const targets = [`view/total.${variant}`];
          await (await client.run('bank_daily', { date: '2026-01-01', targets })).result();
          expect(await served()).toBe('[10.5]');
        }
        await (await client.promote('view/total', { variant: 'v2' })).result();
        expect(await served()).toBe('[21]');
        await (await client.promote('view/total', { previous: true })).result();
        expect(await served()).toBe('[10.5]');
      });
    }, 180_000);

    it('show their first rows: a table of others with its types, what SQL made, a training set', async () => {
      await using bank = await made();
      const { project, env } = bank.worker;
      const preview = async (id: string): Promise<string> => {
        const args = ['cli/granary.cjs', 'preview', id, '--project', project];
        const run = promisify(execFile);
        return (await run(process.execPath, args, { env: { ...process.env, ...env } })).stdout;
      };
      expect(await preview('transactions')).toMatch(/C1.*10\.5.*2026-01-01T10:00:00\.000001Z.*true/);
      expect(await preview('source/totals')).toMatch(/C1.*10\.5/);
      expect(await preview('trainingSet/fraud')).toMatch(/10\.5.*true/);
    }, 180_000);

    it.each(promoted)(
      'a promotion whose worker is killed at %s is ended by another',
      async (point) => {
        await using bank = await made();
        const client = await GranaryClient.connect({ project: bank.both });
        try {
          await using doomed = await startWorkerProcess({ ...bank.worker, armed: { point, action: 'wait' } });
          const run = await client.promote('source/totals', { variant: 'v2' });
          await doomed.told(point.replace(':2', ''));
          await doomed.signal('SIGKILL');
          expect(await tables(bank)).toEqual(point === 'promote.after-tables' ? MIXED : FIRST);
          await using _successor = await startWorkerProcess(bank.worker);
          await run.result();
          expect(await tables(bank)).toEqual(MIXED);
        } finally {
          await client.close();
        }
      },
      180_000,
    );

    it('terminated after the switch, a promotion is finished by the next run', async () => {
      await using bank = await made();
      const client = await GranaryClient.connect({ project: bank.both });
      try {
        const point = 'promote.after-switch';
        await using doomed = await startWorkerProcess({ ...bank.worker, armed: { point, action: 'wait' } });
        const run = await client.promote('trainingSet/fraud', { variant: 'v2' });
        await doomed.told(point);
        await doomed.signal('SIGKILL');
        await world.temporal.workflow.getHandle(run.workflowId).terminate('enough');
        expect(await tables(bank)).toEqual(FIRST);
        // Readers ask for versions, wherever they lie.
        expect(await previewed(client, 'fraud')).toEqual([21]);
        await using _successor = await startWorkerProcess(bank.worker);
        await (await client.run('bank_daily', { date: '2026-01-01' })).result();
        const { totals, totals_v2 } = FIRST;
        const { training_set__fraud, training_set__fraud_v1 } = SECOND;
        expect(await tables(bank)).toEqual({
          totals,
          totals_v2,
          training_set__fraud,
          training_set__fraud_v1,
        });
      } finally {
        await client.close();
      }
    }, 180_000);

    it.each(removed)(
      'leave nothing when they are deleted, killed at %s or not, and raw tables stay',
      async (point) => {
        await using bank = await made();
        const client = await GranaryClient.connect({ project: bank.both });
        try {
          const run = await (async () => {
            if (point === undefined) return await client.remove('trainingSet/fraud.v2');
            await using doomed = await startWorkerProcess({
              ...bank.worker,
              armed: { point, action: 'wait' },
            });
            const begun = await client.remove('trainingSet/fraud.v2');
            await doomed.told(point);
            await doomed.signal('SIGKILL');
            return begun;
          })();
          await using _successor = await startWorkerProcess(bank.worker);
          expect(await run.result()).toMatchObject({ versions: 1 });
          const { training_set__fraud_v2: _gone, ...others } = FIRST;
          expect(await tables(bank)).toEqual(others);
          const { rows } = await world.pg.query(
            `SELECT DISTINCT table_name FROM granary_${bank.name}_dev_offline.__granary_versions ORDER BY 1`,
          );
          expect(rows.map((row: { table_name: string }) => row.table_name)).toEqual(Object.keys(others));
          if (point === undefined) {
            for (const id of ['view/total.v2', 'source/totals.v2']) await (await client.remove(id)).result();
            const { totals, training_set__fraud } = FIRST;
            expect(await tables(bank)).toEqual({ totals, training_set__fraud });
            await (await client.run('bank_daily', { date: '2026-01-01' })).result();
          }
        } finally {
          await client.close();
        }
      },
      180_000,
    );
  });
}
