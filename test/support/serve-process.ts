import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** `granary serve` in a process of its own. */
export interface ServeProcess extends AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
  /** What it said so far. */
  readonly log: () => string;
  /** Sends SIGTERM; resolves to the exit code, null when a signal ended it. */
  terminate(): Promise<number | null>;
}

/** Starts `granary serve` at a free port through the shipped entry point; resolves once it listens. */
export async function startServe(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<ServeProcess> {
  const child = spawn(process.execPath, ['cli/granary.cjs', 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      const at = /listens at (http:\/\/[^ ,]+)/.exec(line)?.[1];
      if (at !== undefined) resolve(at);
    });
    void exited.then((code) =>
      reject(new Error(`granary serve ended with ${String(code)}:\n${lines.join('\n')}`)),
    );
  });
  const terminate = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return exited;
  };
  return {
    url,
    log: () => lines.join('\n'),
    terminate,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await exited;
    },
  };
}
