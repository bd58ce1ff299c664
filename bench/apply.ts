/**
 * What an apply of 500 resources costs: the plan, the apply of everything new, the same again with nothing to do, and an apply that changes
 * what is for people; with the statements that the registry was asked, which must not grow with the number of resources. Run: `npm run
 * bench -- apply [--resources 500] [--made 50]`. Everything that it makes is its own and is removed.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import { GranaryClient } from '../client/index.js';
import {
  defineProject,
  entity,
  featureView,
  fileStore,
  fromEnv,
  label,
  localFiles,
  sql,
  t,
  type Project,
} from '../definitions/index.js';
import { GranaryPlugin } from '../worker/index.js';

const { values: flags } = parseArgs({
  options: { resources: { type: 'string', default: '500' }, made: { type: 'string', default: '50' } },
});
const [resources, made] = [Number(flags.resources), Number(flags.made)];
if (!(Number.isInteger(made) && made >= 0 && Number.isInteger(resources) && resources >= 2 * made + 10))
  throw new Error('--resources is a whole number, at least 10 more than twice --made.');

Runtime.install({
  logger: new DefaultLogger('WARN'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});
const folder = await mkdtemp(join(tmpdir(), 'granary-bench-'));
const name = `bench_${randomBytes(4).toString('hex')}`;

let statements = 0;
// Every statement of this process is the registry's: the project has no other Postgres.
const original = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]): unknown {
  statements += 1;
  return original.apply(this, args);
} as typeof pg.Client.prototype.query;

/** Sources, of which some SQL is made, and for the rest views and labels that make nothing. */
function project(owner: string): Project {
  const lake = fileStore('lake');
  const user = entity('user', { joinKeys: { id: t.int64 } });
  const rows = lake.csv('rows', { path: 'rows.csv', schema: { id: t.int64, x: t.float64 }, owner });
  const schema = { id: t.int64, x: t.float64 } as const;
  const derived = Array.from({ length: made }, (_, i) =>
    lake.sql(`derived_${i}`, { query: sql`SELECT id, x + ${i} AS x FROM ${rows}`, schema, owner }),
  );
  // A store, an entity and a source are there beside these.
  const left = resources - made - 3;
  const views = Array.from({ length: Math.ceil(left / 2) }, (_, i) =>
    featureView(`view_${i}`, {
      entities: [user],
      source: derived[i % Math.max(1, made)] ?? rows,
      keys: { id: 'id' },
      features: ['x'],
      owner,
    }),
  );
  const labels = Array.from({ length: Math.floor(left / 2) }, (_, i) =>
    label(`label_${i}`, { entity: user, source: rows, key: 'id', value: 'x', owner }),
  );
  return defineProject({
    name,
    variant: 'demo',
    resources: [...derived, ...views, ...labels],
    environments: {
      dev: { registry: { url: fromEnv('DATABASE_URL') }, bind: { lake: localFiles(folder) } },
    },
  });
}

async function measured<T>(what: string, work: () => Promise<T>): Promise<T> {
  const [before, began] = [statements, performance.now()];
  const result = await work();
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  console.log(
    `${what.padEnd(44)} ${seconds.padStart(8)} s ${String(statements - before).padStart(7)} statements`,
  );
  return result;
}

async function apply(what: string, client: GranaryClient): Promise<void> {
  const state = await measured(what, async () => (await client.apply()).result());
  const failed = state.resources.filter(({ status }) => status !== 'READY');
  if (state.status !== 'COMPLETED' || failed.length > 0)
    throw new Error(`${state.status}: ${state.error ?? ''} ${JSON.stringify(failed.slice(0, 3))}`);
}

const native = await NativeConnection.connect({ address: needed('TEMPORAL_ADDRESS') });
try {
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'rows.csv'),
    `id,x\n${Array.from({ length: 100 }, (_, i) => `${i},${i / 2}`).join('\n')}\n`,
  );
  console.log(`${resources} resources, of which ${made} are made by SQL\n`);
  const first = project('ann');
  const plugin = await GranaryPlugin.create({ project: first, scratch: join(folder, 'scratch') });
  const worker = await Worker.create({ connection: native, taskQueue: plugin.taskQueue, plugins: [plugin] });
  await worker.runUntil(async () => {
    const client = await GranaryClient.connect({ project: first });
    const other = await GranaryClient.connect({ project: project('bob') });
    try {
      const plan = await measured('plan of everything new, and the migrations', () => client.planApply());
      console.log(`${' '.repeat(44)} ${plan.created.length} new, ${plan.runs.length} runs`);
      await apply('apply of everything new', client);
      await measured('plan of nothing new', () => client.planApply());
      await apply('apply of nothing new', client);
      await apply('apply of other owners', other);
    } finally {
      await Promise.all([client.close(), other.close()]);
    }
  });
} finally {
  const pool = new pg.Pool({ connectionString: needed('DATABASE_URL') });
  await pool.query(`DROP SCHEMA IF EXISTS "granary_${name}_dev" CASCADE`);
  await Promise.all([pool.end(), native.close()]);
  await rm(folder, { recursive: true, force: true });
}

function needed(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === '')
    throw new Error(`${variable} is not set: npm run bench -- apply starts the servers.`);
  return value;
}
