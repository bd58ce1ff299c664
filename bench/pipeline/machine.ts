import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { version as duckdbVersion } from '@duckdb/node-api';
import type { Connection } from '@temporalio/client';
import type { Redis } from 'ioredis';
import type pg from 'pg';

/** One line on the machine and one on the versions of what is measured. */
export async function machineFacts(connection: Connection, pool: pg.Pool, redis: Redis): Promise<string[]> {
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
  const info = await redis.info('server');
  const cache = /^valkey_version:(.*?)\r?$/m.exec(info)
    ? `Valkey ${/^valkey_version:(.*?)\r?$/m.exec(info)?.[1] ?? ''}`
    : `Redis ${/^redis_version:(.*?)\r?$/m.exec(info)?.[1] ?? ''}`;
  const sdk = JSON.parse(await readFile('node_modules/@temporalio/worker/package.json', 'utf8')) as {
    version: string;
  };
  return [
    `machine   ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
    `versions  Node ${process.version}, DuckDB ${duckdbVersion()}, Postgres ${rows[0]?.server_version ?? ''}, ${cache}, Temporal server ${serverVersion ?? ''}, SDK ${sdk.version}`,
  ];
}

/** CPU of this process so far, in milliseconds: of all threads, and of the one that runs JavaScript (Linux only). */
export interface Cpu {
  readonly all: number;
  readonly main: number | undefined;
}

export async function cpuSoFar(): Promise<Cpu> {
  const { user, system } = process.cpuUsage();
  const stat = await readFile(`/proc/self/task/${process.pid}/schedstat`, 'utf8').catch(() => undefined);
  return {
    all: (user + system) / 1000,
    main: stat === undefined ? undefined : Number(stat.split(' ')[0]) / 1e6,
  };
}
