import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { CrashPoint } from '../../activities/crash-points.js';

/** A worker in a process of its own, through the shipped entry point. */
export interface WorkerProcess extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when the armed crash point has reported: the process waits there. */
  readonly atCrashPoint: Promise<string>;
  /** What it said so far, for messages of failing tests. */
  readonly log: () => string;
  /** Sends a signal to this very process and, for those that end it, waits for its end. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<number | null>;
}

/** Starts `granary worker` and resolves when it polls. */
export async function startWorkerProcess(options: {
  readonly project: string;
  readonly env: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly crashPoint?: `${CrashPoint}` | `${CrashPoint}:${number}`;
}): Promise<WorkerProcess> {
  const args = [
    'cli/granary.cjs',
    'worker',
    '--project',
    options.project,
    '--env',
    'dev',
    '--heartbeat-timeout',
    '3s',
    '--heartbeat-interval',
    '200ms',
    ...(options.flags ?? []),
  ];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...options.env,
      ...(options.crashPoint === undefined
        ? {}
        : { GRANARY_CRASH_POINT: options.crashPoint, GRANARY_CRASH_FD: '3' }),
    },
  });
  const lines: string[] = [];
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stderr as Readable).on('line', (line) => {
      lines.push(line);
      if (line.startsWith('granary worker: polls')) resolve();
    });
    createInterface(child.stdout as Readable).on('line', (line) => lines.push(line));
    void exited.then((code) => {
      reject(new Error(`The worker ended with ${String(code)}:\n${lines.join('\n')}`));
    });
  });
  const atCrashPoint = new Promise<string>((resolve) =>
    createInterface(child.stdio[3] as Readable).on('line', resolve),
  );
  await ready;
  const worker: WorkerProcess = {
    pid: child.pid ?? 0,
    atCrashPoint,
    log: () => lines.join('\n'),
    async signal(name) {
      if (child.exitCode === null && child.signalCode === null) child.kill(name);
      return name === 'SIGKILL' || name === 'SIGTERM' ? await exited : null;
    },
    async [Symbol.asyncDispose]() {
      await worker.signal('SIGKILL');
    },
  };
  return worker;
}
