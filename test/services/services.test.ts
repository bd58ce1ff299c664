import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import pg from 'pg';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  purgeServices,
  serviceHandle,
  serviceStatus,
  startServices,
  type ServicesEnvironment,
} from '../../services/index.mjs';

// A set of servers of its own, in a folder of its own: the ones that the test run uses are not touched.
let dir = '';
beforeEach(async () => {
  for (const name of ['TEMPORAL_ADDRESS', 'DATABASE_URL', 'REDIS_URL', 'S3_ENDPOINT'])
    vi.stubEnv(name, undefined);
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'granary-services-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await purgeServices({ dir });
  await fs.rm(dir, { recursive: true });
});

const s3 = (env: ServicesEnvironment): S3 =>
  new S3({
    endpoint: env.S3_ENDPOINT ?? '',
    region: env.AWS_REGION ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
    },
  });

const quiet = (): void => undefined;
const running = (): string[] => serviceStatus({ dir }).flatMap(({ name, pid }) => (pid ? [name] : []));

async function query(url: string | undefined, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('services', () => {
  it('come up together, survive a kill with their data and their addresses, and go when the last one leaves', async () => {
    const services = await startServices({ dir, log: quiet });
    const shared = await startServices({ dir, log: quiet });
    expect(shared.env).toEqual(services.env);
    expect(running()).toEqual(expect.arrayContaining(['temporal', 'postgres']));

    const url = services.env.DATABASE_URL;
    await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    expect(await query(url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    expect(await query(url, 'SHOW max_connections')).toEqual([{ max_connections: '200' }]);
    const postgres = serviceHandle('postgres', { dir });
    const killed = postgres.pid;
    await postgres.kill();
    expect(postgres.pid).toBeUndefined();
    await postgres.start();
    expect(postgres.pid).not.toBe(killed);
    expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);

    await services.handles.temporal?.kill();
    await services.handles.temporal?.start();

    await services.stop();
    expect(running()).toContain('postgres');
    await shared.stop();
    expect(running()).toEqual([]);
  });

  it('keep what Redis acknowledged a second ago through a kill', async () => {
    const services = await startServices({ dir, only: ['redis'], log: quiet });
    if (services.missing.includes('redis')) return;
    const redis = new Redis(services.env.REDIS_URL ?? '', { lazyConnect: true });
    await redis.set('kept', 'yes');
    redis.disconnect();
    await new Promise((resolve) => setTimeout(resolve, 1100)); // appendfsync everysec
    await services.handles.redis?.kill();
    await services.handles.redis?.start();
    const again = new Redis(services.env.REDIS_URL ?? '');
    expect(await again.get('kept')).toBe('yes');
    again.disconnect();
    await services.stop();
  });

  it('keep S3 objects through a kill and through a change of all ports, and leave no socket file behind', async () => {
    const object = { Bucket: 'granary', Key: 'kept/x' };
    const sockets = async (): Promise<string[]> => {
      const { ports } = JSON.parse(await fs.readFile(path.join(dir, 'run', 's3.json'), 'utf8')) as {
        ports: Record<string, number>;
      };
      return (await fs.readdir('/tmp')).filter((name) =>
        Object.values(ports).some((own) => name.endsWith(`-grpc-${own}.sock`)),
      );
    };
    const first = await startServices({ dir, only: ['s3'], log: quiet });
    await s3(first.env).putObject({ ...object, Body: 'yes' });
    const read = async (env: ServicesEnvironment): Promise<string | undefined> =>
      (await s3(env).getObject(object)).Body?.transformToString();
    await first.handles.s3?.kill();
    expect(first.handles.s3?.pid).toBeUndefined();
    await first.handles.s3?.start();
    // Its volumes come back a moment after its bucket does; until then it answers "internal error".
    await expect.poll(() => read(first.env).catch(String), { timeout: 20_000 }).toBe('yes');
    await first.handles.s3?.kill();
    await first.stop();
    const port = Number(new URL(first.env.S3_ENDPOINT ?? '').port);
    const squatter = net.createServer().listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    const second = await startServices({ dir, only: ['s3'], log: quiet });
    expect(new URL(second.env.S3_ENDPOINT ?? '').port).not.toBe(String(port));
    await expect.poll(() => read(second.env).catch(String), { timeout: 20_000 }).toBe('yes');
    await expect.poll(sockets, { timeout: 20_000 }).toHaveLength(5); // its parts start one after the other
    await second.handles.s3?.kill();
    expect(await sockets()).toHaveLength(5);
    await second.stop();
    squatter.close();
    expect(await sockets()).toEqual([]);
  });

  it('refuse S3 requests with other keys, and make no bucket by accident', async () => {
    const services = await startServices({ dir, only: ['s3'], log: quiet });
    const stranger = s3({ ...services.env, AWS_SECRET_ACCESS_KEY: 'guessed' });
    await expect(stranger.listObjectsV2({ Bucket: 'granary' })).rejects.toThrow(/signature/);
    const put = s3(services.env).putObject({ Bucket: 'absent', Key: 'x', Body: 'x' });
    await expect(put).rejects.toThrow('does not exist');
    await services.stop();
  });

  it('move to another port when theirs was taken meanwhile', async () => {
    const first = await startServices({ dir, only: ['postgres'], log: quiet });
    const port = Number(new URL(first.env.DATABASE_URL ?? '').port);
    await first.stop();
    const squatter = net.createServer().listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    const second = await startServices({ dir, only: ['postgres'], log: quiet });
    expect(new URL(second.env.DATABASE_URL ?? '').port).not.toBe(String(port));
    await second.stop();
    squatter.close();
  });

  it('are not started where an address is given', async () => {
    vi.stubEnv('REDIS_URL', 'redis://elsewhere:6379');
    const services = await startServices({ dir, only: ['redis'], log: quiet });
    expect(services.env).toEqual({ REDIS_URL: 'redis://elsewhere:6379' });
    expect(services.handles).toEqual({});
    expect(running()).toEqual([]);
    await services.stop();
  });

  it('do without Redis and S3 where they cannot be had, and say so', async () => {
    for (const name of ['GRANARY_IGNORE_PATH', 'GRANARY_NO_PYTHON']) vi.stubEnv(name, '1');
    const said: string[] = [];
    const log = (part: string, message: string): void => void said.push(`${part}: ${message}`);
    const services = await startServices({
      dir,
      programs: path.join(dir, 'bin'),
      only: ['redis', 's3'],
      log,
    });
    expect(services.missing).toEqual(['redis', 's3']);
    expect(services.env).toEqual({});
    expect(said.join('\n')).toContain('Postgres will be the online store');
    expect(said.join('\n')).toContain('Set S3_ENDPOINT');
    await services.stop();
  });

  it('say what to do where Temporal cannot be had', async () => {
    for (const name of ['GRANARY_IGNORE_PATH', 'GRANARY_NO_PYTHON', 'GRANARY_NO_CDN']) vi.stubEnv(name, '1');
    const starting = startServices({ dir, programs: path.join(dir, 'bin'), only: ['temporal'], log: quiet });
    await expect(starting).rejects.toThrow(/^temporal cannot be had here .*Set TEMPORAL_ADDRESS/);
  });
});
