import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A command in a process group of its own, as a shell starts it. */
export interface CommandProcess {
  readonly pid: number;
  /** What it said so far on stdout and stderr, as they came. */
  readonly output: () => string;
  /** What it said so far on stderr alone. */
  readonly errors: () => string;
  /** Resolves once its output, from the last call's end on, matches; with the match. Rejects when it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** To every process of its group, as a terminal does. */
  signal(name: NodeJS.Signals): void;
  /** Closes its output, as a terminal that goes away does. */
  closeOutput(): void;
  readonly ended: Promise<number | null>;
  /** As `ended`, once all that it and its children said has been heard. */
  readonly closed: Promise<number | null>;
}

export function startCommand(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): CommandProcess {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  let read = 0;
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      output += data.toString();
      if (stream === child.stderr) errors += data.toString();
      for (const listener of listeners) listener();
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    pid: child.pid ?? 0,
    output: () => output,
    errors: () => errors,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output.slice(read));
          if (!match) return;
          read += match.index + match[0].length;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        void closed.then((code) =>
          reject(
            new Error(`The command ended with ${String(code)} before it said ${String(pattern)}:\n${output}`),
          ),
        );
      }),
    signal(name) {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), name);
    },
    closeOutput() {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    ended,
    closed,
  };
}

/** The processes that work in a folder, or name it in their arguments: pid and command. Linux. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        // A process that has ended and that nobody has reaped has no command line.
        if (command === '') return [];
        const cwd = readlinkSync(`/proc/${pid}/cwd`);
        return cwd.startsWith(folder) || command.includes(folder) ? [`${pid} ${command.slice(0, 160)}`] : [];
      } catch {
        return [];
      }
    });
}
