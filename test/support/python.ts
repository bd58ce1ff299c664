import { execFile } from 'node:child_process';
import { pythonPath } from '../../scripts/python-environment.mjs';

/**
 * A Python with the packages of scripts/python-requirements.txt (Feast, polars, pandas, pyarrow, duckdb); undefined where `npm run python` has
 * not made it. Tests that need it: `it.skipIf(python === undefined)(...)`.
 */
export const python: string | undefined = pythonPath();

/** Runs a program of Python and resolves to what it prints; `args` are its `sys.argv[1:]`. Rejects with its last words when it fails. */
export function runPython(program: string, args: readonly string[] = []): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      python ?? 'python3',
      ['-c', program, ...args],
      { maxBuffer: 1 << 28, env: { ...process.env, FEAST_USAGE: 'False', PYTHONWARNINGS: 'ignore' } },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`Python failed: ${stderr.trim().split('\n').slice(-12).join('\n')}`));
        else resolve(stdout);
      },
    );
  });
}
