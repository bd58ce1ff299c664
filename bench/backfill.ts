/**
 * What Temporal costs a backfill: one of a trivial pipeline over ten years of days. Shows the wall time an interval, the orchestration an interval (the
 * wall time of the intervals in flight without that in which a body of an activity ran) and how large the histories grow. Run: `npm run bench --
 * backfill [--n 3650] [--concurrency 8]`. Everything that it makes is its own and is removed.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import { GranaryClient } from '../client/index.js';
import {
  defineProject,
  featureSet,
  fileStore,
  fromEnv,
  intervalEnd,
  localFiles,
  pipeline,
  sql,
  t,
} from '../definitions/index.js';
import { GranaryPlugin } from '../worker/index.js';
import { Bodies } from './backfill/bodies.js';
import { chainOf } from './backfill/chain.js';

const { values: flags } = parseArgs({
  options: { n: { type: 'string', default: '3650' }, concurrency: { type: 'string', default: '8' } },
});
const [n, concurrency] = [Number(flags.n), Number(flags.concurrency)];
if (!(
  Number.isInteger(n) &&
  n >= 1 &&
  Number.isInteger(concurrency) &&
  concurrency >= 1 &&
  concurrency <= 100
))
  throw new Error('--n is a whole number from 1, --concurrency one from 1 to 100.');

Runtime.install({
  logger: new DefaultLogger('WARN'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});
const folder = await mkdtemp(join(tmpdir(), 'granary-bench-'));
const name = `bench_${randomBytes(4).toString('hex')}`;
const START = Date.parse('2001-01-01T00:00:00Z');

const lake = fileStore('lake');
const rows = lake.csv('rows', { path: 'rows.csv', schema: { id: t.int64 } });
const project = defineProject({
  name,
  resources: [
    pipeline('trivial_daily', {
      targets: [
        featureSet('trivial', {
          store: lake,
          inputs: { rows },
          keys: ['id'],
          timestampField: 'event_timestamp',
          schema: { id: t.int64, event_timestamp: t.timestamp },
          build: sql`SELECT id, ${intervalEnd} AS event_timestamp FROM ${rows}`,
        }),
      ],
      schedule: { cron: '0 0 * * *' },
      startDate: '2001-01-01',
      endDate: new Date(START + n * 86_400_000).toISOString(),
    }),
  ],
  environments: {
    dev: { registry: { url: fromEnv('DATABASE_URL') }, bind: { lake: localFiles(join(folder, 'lake')) } },
  },
});

const native = await NativeConnection.connect({ address: needed('TEMPORAL_ADDRESS') });
const connection = await Connection.connect({ address: needed('TEMPORAL_ADDRESS') });
try {
  await mkdir(join(folder, 'lake'), { recursive: true });
  await writeFile(join(folder, 'lake', 'rows.csv'), 'id\n1\n2\n3\n');
  const bodies = new Bodies();
  const plugin = await GranaryPlugin.create({ project, scratch: join(folder, 'scratch') });
  const worker = await Worker.create({
    connection: native,
    taskQueue: plugin.taskQueue,
    plugins: [plugin],
    interceptors: { activity: [bodies.interceptors] },
  });
  console.log(
    `machine   ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), load ${loadavg()[0]?.toFixed(1) ?? ''}, Node ${process.version}; the servers and the worker share it`,
  );
  await worker.runUntil(async () => {
    const client = await GranaryClient.connect({ project });
    try {
      const began = performance.now();
      const cpu = process.cpuUsage();
      const handle = await client.backfill({ concurrency });
      const end = await handle.result();
      const wall = performance.now() - began;
      const { user, system } = process.cpuUsage(cpu);
      if (end.status !== 'COMPLETED' || end.intervals.completed !== n)
        throw new Error(`${end.status}: ${JSON.stringify(end.intervals)} ${JSON.stringify(end.failures[0])}`);
      report(
        { wall, cpu: (user + system) / 1000 },
        bodies,
        await chainOf(new Client({ connection }), handle.workflowId),
      );
    } finally {
      await client.close();
    }
  });
} finally {
  const pool = new pg.Pool({ connectionString: needed('DATABASE_URL') });
  await pool.query(`DROP SCHEMA IF EXISTS "granary_${name}_dev" CASCADE`);
  await Promise.all([pool.end(), native.close(), connection.close()]);
  await rm(folder, { recursive: true, force: true });
}

function report(
  { wall, cpu }: { readonly wall: number; readonly cpu: number },
  bodies: Bodies,
  runs: Awaited<ReturnType<typeof chainOf>>,
): void {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const [events, bytes] = [runs.map((run) => run.events), runs.map((run) => run.bytes)];
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const lane = (wall * concurrency - bodies.ms) / n;
  const mib = (value: number): string => `${(value / 2 ** 20).toFixed(2)} MiB`;
  for (const [what, value] of [
    ['intervals', `${n}, ${concurrency} at a time, in ${(wall / 1000).toFixed(1)} s`],
    ['wall an interval', ms(wall / n)],
    ['CPU of this process an interval', ms(cpu / n)],
    ['bodies of activities an interval', ms(bodies.ms / n)],
    [
      'orchestration an interval',
      `${ms(lane / concurrency)} of wall time (${ms(lane)} with ${concurrency} in flight)`,
    ],
    ['runs (continued as new)', `${runs.length} (${runs.length - 1})`],
    [
      'events',
      `${sum(events)}, ${(sum(events) / n).toFixed(1)} an interval, at most ${Math.max(...events)} a run (Temporal: 51,200)`,
    ],
    ['history', `${mib(sum(bytes))}, at most ${mib(Math.max(...bytes))} a run (Temporal: 50 MiB)`],
    ['workflow tasks', `${sum(runs.map((run) => run.workflowTasks))}`],
  ])
    console.log(`${String(what).padEnd(34)} ${String(value)}`);
  for (const [activity, mean, times] of bodies.means)
    console.log(`  ${activity.padEnd(32)} ${ms(mean).padStart(9)}  ${times} times`);
}

function needed(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === '')
    throw new Error(`${variable} is not set: npm run bench -- backfill starts the servers.`);
  return value;
}
