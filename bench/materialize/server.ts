import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';

/** The server under load, and how much of a core it used. */
export interface BenchServer {
  readonly url: string;
  /** Program, version and where it came from. */
  readonly description: string;
  readonly redis: Redis;
  /** CPU seconds of the server since it started. */
  cpu(): Promise<number>;
  /** Removes all keys of the database. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The server at `REDIS_URL`, whose database must be empty; else a `redis-server` of our own on a free port, without
 * persistence.
 */
export async function benchServer(): Promise<BenchServer> {
  const cli = onPath('redis-cli');
  const given = process.env['REDIS_URL'];
  const program = given === undefined ? onPath('redis-server') : undefined;
  if (!cli || (given === undefined && !program))
    throw new Error('redis-server and redis-cli are not installed: apt-get install redis-server');
  const own = program === undefined ? undefined : await start(program);
  const url = own?.url ?? given ?? '';
  const redis = new Redis(url, { protocol: 2, disableClientInfo: true });
  redis.on('error', () => undefined);
  const info = async (section: string): Promise<Map<string, string>> =>
    new Map((await redis.info(section)).split('\r\n').map((line) => line.split(':', 2) as [string, string]));
  try {
    if ((await redis.dbsize()) > 0)
      throw new Error('The database at REDIS_URL is not empty; this benchmark removes all that is in it.');
    const server = await info('server');
    const name = server.get('server_name') ?? 'redis';
    const version = server.get(`${name}_version`) ?? server.get('redis_version') ?? 'of an unknown version';
    return {
      url,
      description: `${name}-server ${version} (${program ?? 'REDIS_URL'})`,
      redis,
      async cpu() {
        const used = await info('cpu');
        return Number(used.get('used_cpu_user')) + Number(used.get('used_cpu_sys'));
      },
      async empty() {
        await redis.flushdb('SYNC');
      },
      async stop() {
        redis.disconnect();
        await own?.stop();
      },
    };
  } catch (error) {
    redis.disconnect();
    await own?.stop();
    throw error;
  }
}

async function start(program: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'granary-bench-redis-'));
  const port = await freePort();
  const child = spawn(
    program,
    ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  return {
    url: `redis://127.0.0.1:${port}/0`,
    async stop() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

function onPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}
