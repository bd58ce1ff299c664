import { execFile } from 'node:child_process';
import type { Project } from 'granary';

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
      { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });

/** Runs it over a shop whose folder has its sales. */
export const shopCommand = (
  { project }: { readonly project: Pick<Project, 'name'> },
  folder: string,
  ...args: string[]
): Promise<CommandOutcome> =>
  granary(
    { SHOP_NAME: project.name, SHOP_FOLDER: folder },
    ...args,
    '--project',
    'test/fixtures/shop-project.ts',
  );
