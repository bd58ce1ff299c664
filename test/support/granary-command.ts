import { execFile } from 'node:child_process';

/** What a command said and how it ended. */
export interface CommandOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `granary` with these arguments through the shipped entry point. */
export const granary = (env: Readonly<Record<string, string>>, ...args: string[]): Promise<CommandOutcome> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['cli/granary.cjs', ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });
