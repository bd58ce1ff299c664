import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Entities in the store. */
export const USERS = 10_000;

/** What a round of load saw; milliseconds. */
export interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Load {
  readonly connections: number;
  readonly entities: number;
  readonly seconds: number;
  /** Feast project, for reads of Redis itself. */
  readonly project: string;
}

/** Loads one address from another process. */
export async function measure(
  url: string,
  { connections, entities, seconds, project }: Load,
): Promise<Measured> {
  const program = ['--import', 'tsx', 'bench/serve/load.ts'];
  const args = [url, connections, entities, seconds, project].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, [...program, ...args]);
  return JSON.parse(stdout) as Measured;
}

/** A server in a process of its own, once it is well. */
export async function startServer(
  url: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AsyncDisposable & { readonly url: string }> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
    env: { ...process.env, FEAST_USAGE: 'False', ...env },
  });
  // It leads a group of its own, which nothing else would end when the bench ends early.
  process.once('exit', () => kill(child));
  for (let tries = 0; ; tries++) {
    if ((await fetch(`${url}/health`).catch(() => undefined))?.ok) break;
    if (child.exitCode !== null || tries > 600) {
      await stop(child);
      throw new Error(`${command} ${args.join(' ')} does not answer`);
    }
    await sleep(200);
  }
  return { url, [Symbol.asyncDispose]: () => stop(child) };
}

/** A server and its workers: they are one group of processes. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  kill(child);
  await gone;
}

function kill({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
}
