import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Redis } from 'ioredis';
import pg from 'pg';
import { GranaryClient } from '../../client/index.js';
import type { Project } from '../../definitions/index.js';
import { GranaryPlugin, type GranaryPluginOptions } from '../../worker/index.js';

Runtime.install({
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
});

const need = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: run the tests by npm test`);
  return value;
};

/** Asked for at use: a test file with servers of its own sets the variables first. */
export const addresses = {
  get temporal() {
    return need('TEMPORAL_ADDRESS');
  },
  get postgres() {
    return need('DATABASE_URL');
  },
  get redis() {
    return need('REDIS_URL');
  },
};

/** A place of a test's own: folders, project name (hence registry schema, task queue, Redis keys), clients. */
export interface World extends AsyncDisposable {
  /** A name that no other test has. */
  readonly name: string;
  readonly folder: string;
  readonly temporal: Client;
  readonly pg: pg.Pool;
  readonly redis: Redis;
  /** Has the project's registry removed at the end. */
  uses(project: Pick<Project, 'name'>): void;
  /** Runs `work` beside a worker in this process. */
  withWorker<T>(
    project: Project,
    work: (client: GranaryClient) => Promise<T>,
    options?: Partial<GranaryPluginOptions>,
  ): Promise<T>;
  /** Rows of a query on the registry; `{schema}` is its schema. */
  registry(project: Pick<Project, 'name'>, sql: string): Promise<Record<string, unknown>[]>;
  /** Every online hash of a Feast project: key without the project (hex) -> field (hex) -> value (hex). */
  online(project: string): Promise<Map<string, Record<string, string>>>;
}

export async function createWorld(): Promise<World> {
  const name = `t${randomBytes(5).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'granary-test-'));
  const connection = await Connection.connect({ address: addresses.temporal });
  const pool = new pg.Pool({ connectionString: addresses.postgres, max: 3 });
  const redis = new Redis(addresses.redis);
  // Servers of fault tests go away and come back; without listeners that would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  redis.on('error', () => undefined);
  const schemas = new Set<string>();
  return {
    name,
    folder,
    temporal: new Client({ connection }),
    pg: pool,
    redis,
    uses: ({ name: project }) => void schemas.add(`granary_${project}_dev`),
    async withWorker(project, work, options = {}) {
      schemas.add(`granary_${project.name}_dev`);
      const native = await NativeConnection.connect({ address: addresses.temporal });
      try {
        const plugin = await GranaryPlugin.create({
          project,
          heartbeatTimeout: '3s',
          heartbeatInterval: '200ms',
          scratch: join(folder, 'scratch'),
          ...options,
        });
        const worker = await Worker.create({
          connection: native,
          taskQueue: plugin.taskQueue,
          workflowBundle: { codePath: need('GRANARY_TEST_BUNDLE') },
          plugins: [plugin],
        });
        return await worker.runUntil(async () => {
          const client = await GranaryClient.connect({ project });
          try {
            return await work(client);
          } finally {
            await client.close();
          }
        });
      } finally {
        await native.close();
      }
    },
    async registry(project, sql) {
      return (
        await pool.query<Record<string, unknown>>(sql.replaceAll('{schema}', `"granary_${project.name}_dev"`))
      ).rows;
    },
    async online(project) {
      const suffix = Buffer.from(project);
      const found = new Map<string, Record<string, string>>();
      let cursor = '0';
      do {
        const [next, keys] = await redis.scanBuffer(cursor, 'MATCH', `*${project}`, 'COUNT', 5000);
        cursor = next.toString();
        for (const key of keys) {
          // The store's id is no hash.
          if (key.toString().startsWith('__granary:')) continue;
          const flat = (await redis.callBuffer('HGETALL', key)) as Buffer[];
          const fields: Record<string, string> = {};
          for (let i = 0; i < flat.length; i += 2)
            fields[(flat[i] as Buffer).toString('hex')] = (flat[i + 1] as Buffer).toString('hex');
          found.set(
            key.subarray(0, key.length - suffix.length).toString('hex'),
            Object.fromEntries(Object.entries(fields).sort()),
          );
        }
      } while (cursor !== '0');
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const schema of schemas) await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await Promise.all([pool.end(), connection.close(), rm(folder, { recursive: true, force: true })]);
      redis.disconnect();
    },
  };
}
