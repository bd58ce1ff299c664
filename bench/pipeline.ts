/**
 * Where the time of a daily run goes: engine and other systems, our TypeScript, Temporal. Runs days of the flights example one after
 * another, through the plugin, in a worker of this process, after one day to warm up. Run: `npm run bench -- pipeline [--days 10]`.
 * Everything that it makes is its own and is removed.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Redis } from 'ioredis';
import pg from 'pg';
import { GranaryClient } from '../client/index.js';
import { defineProject, localFiles } from '../definitions/index.js';
import flights, { daily } from '../examples/flights/granary.js';
import { GranaryPlugin } from '../worker/index.js';
import { takeApart, type Day } from './pipeline/day.js';
import { readHistory } from './pipeline/history.js';
import { cpuSoFar, machineFacts } from './pipeline/machine.js';
import { Recorder } from './pipeline/recorder.js';
import { report } from './pipeline/report.js';
import { watchSystems } from './pipeline/systems.js';

const FIRST_DAY = Date.UTC(2001, 0, 8);
const DAY_MS = 86_400_000;

const { values: flags } = parseArgs({ options: { days: { type: 'string', default: '10' } } });
const days = Number(flags.days);
if (!(Number.isInteger(days) && days > 0 && days <= 150))
  throw new Error('--days is a whole number from 1 to 150.');

Runtime.install({
  logger: new DefaultLogger('WARN'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});
const folder = await mkdtemp(join(tmpdir(), 'granary-bench-'));
const name = `bench_${randomBytes(4).toString('hex')}`;
const dev = flights.environments['dev'];
const project = defineProject({
  name,
  resources: [daily],
  environments: { dev: { ...dev, bind: { ...dev?.bind, lake: localFiles(join(folder, 'lake')) } } },
});
const address = needed('TEMPORAL_ADDRESS');
const pool = new pg.Pool({ connectionString: needed('DATABASE_URL') });
const redis = new Redis(needed('REDIS_URL'));
const connection = await Connection.connect({ address });
const native = await NativeConnection.connect({ address });
try {
  for (const line of await machineFacts(connection, pool, redis)) console.log(line);
  const recorder = new Recorder();
  watchSystems(recorder, folder);
  const plugin = await GranaryPlugin.create({ project, scratch: join(folder, 'scratch') });
  const worker = await Worker.create({
    connection: native,
    taskQueue: plugin.taskQueue,
    plugins: [plugin],
    interceptors: { activity: [recorder.interceptors] },
  });
  const measured = await worker.runUntil(() => runDays(new Client({ connection }), recorder));
  console.log(`\n${report(measured)}`);
} finally {
  await removeAll();
}

/** Runs the days in order; the first one warms up and is not measured. */
async function runDays(temporal: Client, recorder: Recorder): Promise<Day[]> {
  const client = await GranaryClient.connect({ project });
  try {
    const measured: Day[] = [];
    for (let n = 0; n <= days; n++) {
      const date = new Date(FIRST_DAY + n * DAY_MS).toISOString().slice(0, 10);
      const before = await cpuSoFar();
      const run = await client.run(daily, { date });
      await run.result();
      const after = await cpuSoFar();
      const history = await readHistory(temporal, run);
      const main =
        after.main === undefined || before.main === undefined ? undefined : after.main - before.main;
      const day = takeApart(history, recorder.take(run.runId), { all: after.all - before.all, main });
      if (n > 0) measured.push(day);
      console.log(
        `${n === 0 ? 'warm-up' : 'day'.padEnd(7)}   ${date}  ${(day.total.wall / 1000).toFixed(2)} s, orchestration ${(day.total.temporal / 1000).toFixed(2)} s`,
      );
    }
    return measured;
  } finally {
    await client.close();
  }
}

function needed(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === '')
    throw new Error(`${variable} is not set: npm run bench -- pipeline starts the servers.`);
  return value;
}

async function removeAll(): Promise<void> {
  await pool.query(`DROP SCHEMA IF EXISTS "granary_${name}_dev" CASCADE`);
  for await (const keys of redis.scanStream({ match: `*${name}_dev`, count: 5000 }) as AsyncIterable<
    string[]
  >)
    if (keys.length > 0) await redis.unlink(keys);
  redis.disconnect();
  await Promise.all([pool.end(), native.close(), connection.close()]);
  await rm(folder, { recursive: true, force: true });
}
