import { execFile } from 'node:child_process';
import type { Project } from 'granary';

/** Runs the shipped command over a shop whose folder has its sales. */
export const granary = (
  { project }: { readonly project: Pick<Project, 'name'> },
  folder: string,
  ...args: string[]
): Promise<{ status: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['cli/granary.cjs', ...args, '--project', 'test/fixtures/shop-project.ts'],
      { env: { ...process.env, SHOP_NAME: project.name, SHOP_FOLDER: folder }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });
