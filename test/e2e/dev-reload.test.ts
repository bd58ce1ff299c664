import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../support/duckdb.js';
import { startCommand, type CommandProcess } from '../support/command-process.js';
import { until } from '../support/until.js';
import { addresses } from '../support/world.js';

/**
 * `granary dev` takes up a saved project while a step runs: the step is held until a file is there, so that the save comes in its middle. The step says
 * in a file under which code it begins, and makes rows that tell the code.
 */
const name = `d${randomBytes(5).toString('hex')}`;
let folder: string;
let dev: CommandProcess;
let pool: pg.Pool;
let redis: Redis;
let connection: Connection;

/** The project as it is saved the n-th time. */
const code = (n: number): string => `
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineProject, entity, featureSet, featureView, fileStore, fromEnv, localFiles, onlineStore, pipeline, redisStore, t } from 'granary';

const HELD = ['2026-01-01', '2026-01-02', '2026-01-03']; // what apply makes is another day
const lake = fileStore('lake');
const sales = lake.csv('sales', { path: 'sales.csv', schema: { user_id: t.int64, sold_at: t.timestamp }, timestampField: 'sold_at' });
const totals = featureSet('totals', {
  store: lake,
  inputs: { sales },
  keys: ['user_id'],
  timestampField: 'event_timestamp',
  schema: { user_id: t.int64, event_timestamp: t.timestamp, code: t.int64 },
  build: async function* ({ inputs, interval }) {
    appendFileSync('begun-' + interval.start.slice(0, 10), '${n} ');
    for await (const { user_id } of inputs.sales.rows())
      yield { user_id, event_timestamp: interval.end, code: ${n}n };
    while (HELD.includes(interval.start.slice(0, 10)) && !existsSync('gate-' + interval.start.slice(0, 10))) await sleep(10);
  },
});
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const view = featureView('totals', { entities: [user], source: totals, features: ['code'], online: onlineStore('online') });
export default defineProject({
  name: '${name}',
  resources: [pipeline('daily', { targets: [view], schedule: { cron: '0 0 * * *' }, startDate: '2026-01-01', endDate: '2026-01-10', retries: { max: 0, delay: '1s' } })],
  environments: {
    dev: {
      registry: { url: fromEnv('DATABASE_URL') },
      bind: { lake: localFiles('lake'), online: redisStore({ url: fromEnv('REDIS_URL') }) },
    },
  },
});
`;
const save = (n: number): Promise<void> => writeFile(join(folder, 'granary.ts'), code(n));

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'granary-reload-')));
  await mkdir(join(folder, 'node_modules'));
  await symlink(resolve('.'), join(folder, 'node_modules', 'granary'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await mkdir(join(folder, 'lake'));
  await writeFile(join(folder, 'lake', 'sales.csv'), 'user_id,sold_at\n1,2026-01-01 10:00:00\n');
  pool = new pg.Pool({ connectionString: addresses.postgres, max: 1 });
  redis = new Redis(addresses.redis);
  connection = await Connection.connect({ address: addresses.temporal });
  await save(1);
  dev = startCommand(process.execPath, [resolve('cli/granary.cjs'), 'dev', '--port', '0'], folder, {
    ...process.env,
  });
  await dev.said(/Ctrl-C stops everything/);
});
afterAll(async () => {
  dev.signal('SIGINT');
  await dev.ended;
  await pool.query(`DROP SCHEMA IF EXISTS "granary_${name}_dev" CASCADE`);
  await Promise.all([pool.end(), connection.close(), rm(folder, { recursive: true, force: true })]);
  redis.disconnect();
}, 30_000);

/** Under which codes the step of a day has begun. */
const begun = async (date: string): Promise<string[]> =>
  (await readFile(join(folder, `begun-${date}`), 'utf8').catch(() => '')).split(' ').filter((n) => n !== '');

/** Starts the run of a day, and resolves once its step is in its middle. */
async function startedDay(date: string) {
  const handle = await new Client({ connection }).workflow.start('pipeline', {
    taskQueue: `granary-${name}-dev`,
    workflowId: `${name}/${date}`,
    args: [{ pipeline: 'daily', date }],
  });
  await until('the step has begun', async () => (await begun(date)).length === 1, { timeoutMs: 30_000 });
  return handle;
}

const open = (date: string): Promise<void> => writeFile(join(folder, `gate-${date}`), '');

/** What a day has left: how many versions, and the codes of their rows. */
async function left(date: string): Promise<{ versions: number; codes: unknown[] }> {
  const { rows } = await pool.query<{ version: string }>(
    `SELECT version FROM "granary_${name}_dev".datasets WHERE target LIKE 'source/totals%' AND interval_start = $1`,
    [`${date}T00:00:00Z`],
  );
  const codes = await Promise.all(
    rows.map(({ version }) =>
      query(`SELECT code FROM '${join(folder, 'lake', 'totals', version, 'features.parquet')}'`),
    ),
  );
  return { versions: rows.length, codes: codes.flat() };
}

/** As {@link left} says it of one version of one row, made under a code. */
const onlyOf = (n: string): Awaited<ReturnType<typeof left>> => ({
  versions: 1,
  codes: [{ code: BigInt(n) }],
});

describe('granary dev, while a step runs and the project is saved', () => {
  it('lets the step end under the code it began with, when it ends soon', async () => {
    const date = '2026-01-01';
    const run = await startedDay(date);
    await save(2);
    await dev.said(/granary\.ts changed.*polls.*the one before has stopped/s);
    await open(date);
    expect(await run.result()).toMatchObject({ steps: expect.anything() as unknown });
    const codes = await begun(date);
    // On a machine under load the step may have been told to stop before the gate was open: then it began anew, under the new code.
    expect(['1', '1 2']).toContain(codes.join(' '));
    expect(await left(date)).toEqual(onlyOf(codes.at(-1) ?? ''));
  });

  it('begins the step anew under the new code, when it takes longer; what the first attempt had made is gone', async () => {
    const date = '2026-01-02';
    const before = (await readFile(join(folder, 'granary.ts'), 'utf8')).includes('code: 2n') ? 2 : 1;
    const run = await startedDay(date);
    await save(3);
    await until('the step has begun again', async () => (await begun(date)).length === 2, {
      timeoutMs: 60_000,
    });
    await open(date);
    await run.result();
    expect(await begun(date)).toEqual([String(before), '3']);
    expect(await left(date)).toEqual(onlyOf('3'));
  });

  it('keeps the step at work under the code before, when what was saved is wrong', async () => {
    const date = '2026-01-03';
    const run = await startedDay(date);
    await writeFile(join(folder, 'granary.ts'), code(4).replace("cron: '0 0 * * *'", "cron: 'no'"));
    await dev.said(/the worker before goes on/);
    await open(date);
    await run.result();
    const codes = await begun(date);
    expect(codes).toHaveLength(1);
    expect(await left(date)).toEqual(onlyOf(codes[0] ?? ''));
  });
});
