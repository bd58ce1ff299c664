import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { CrashPoint } from '../../activities/crash-points.js';

/** A worker in a process of its own, through the shipped entry point. */
export interface WorkerProcess extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when the process has told a line of its crash points (see activities/crash-points.ts), with all so far. */
  told(line: string): Promise<readonly string[]>;
  /** What it said so far, for messages of failing tests. */
  readonly log: () => string;
  /** Sends a signal to this very process and, for those that end it, waits for its end. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<number | null>;
}

/** What a crash point is to do: see activities/crash-points.ts. */
export interface Armed {
  readonly point: CrashPoint | `${CrashPoint}:${number}` | '*';
  readonly action: 'wait' | 'stop' | 'hold';
  /** The file whose coming ends a `hold`. */
  readonly release?: string;
}

/** Starts `granary worker` and resolves when it polls. */
export async function startWorkerProcess(options: {
  readonly project: string;
  readonly env: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly armed?: Armed;
  /** A folder that is a file system of so many KiB in this process alone, while it runs. Linux. */
  readonly tinyDisk?: { readonly folder: string; readonly kib: number };
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
    '--workflow-bundle',
    process.env['GRANARY_TEST_BUNDLE'] ?? '',
    ...(options.flags ?? []),
  ];
  const [command, ...rest] = [...onTinyDisk(options.tinyDisk), process.execPath, ...args];
  const child = spawn(command ?? '', rest, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...options.env,
      ...(options.armed === undefined
        ? {}
        : {
            GRANARY_CRASH_POINT: options.armed.point,
            GRANARY_CRASH_ACTION: options.armed.action,
            GRANARY_CRASH_RELEASE: options.armed.release ?? '',
            GRANARY_CRASH_FD: '3',
          }),
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
  const told: string[] = [];
  const listeners = new Set<() => void>();
  createInterface(child.stdio[3] as Readable).on('line', (line) => {
    told.push(line);
    for (const listener of listeners) listener();
  });
  await ready;
  const worker: WorkerProcess = {
    pid: child.pid ?? 0,
    told: (line) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!told.includes(line)) return;
          listeners.delete(look);
          resolve([...told]);
        };
        listeners.add(look);
        look();
        void exited.then((code) =>
          reject(
            new Error(`The worker ended with ${String(code)} before it told "${line}":\n${lines.join('\n')}`),
          ),
        );
      }),
    log: () => lines.join('\n'),
    async signal(name) {
      if (child.exitCode === null && child.signalCode === null) child.kill(name);
      return name === 'SIGKILL' || name === 'SIGTERM' ? await exited : null;
    },
    async [Symbol.asyncDispose]() {
      // A stopped process takes SIGKILL as well.
      await worker.signal('SIGKILL');
    },
  };
  return worker;
}

/** Whether this machine lets a process have a file system of its own. */
export const canHaveTinyDisk = (): boolean => {
  const [command, ...args] = [...onTinyDisk({ folder: '/tmp', kib: 64 }), 'true'];
  return spawnSync(command ?? '', args, { timeout: 10_000 }).status === 0;
};

/** Mounts a small file system over a folder in name spaces of the command's own; nobody else sees it, and it goes with the process. */
export const onTinyDisk = (disk?: { readonly folder: string; readonly kib: number }): readonly string[] =>
  disk === undefined
    ? []
    : [
        'unshare',
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs -o size=${disk.kib}k tmpfs "${disk.folder}" && exec "$0" "$@"`,
      ];
