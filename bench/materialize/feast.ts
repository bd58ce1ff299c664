import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonPath } from '../../scripts/python-environment.mjs';
import { VIEW } from './data.js';

/** The Python with Feast, where `npm run python` has made it. */
export const python: string | undefined = pythonPath();

/** What Feast's own materialize of a file took, in a process of its own: the real SDK with its defaults, into the same Redis. */
export async function feastMaterialize(
  url: string,
  parquet: string,
): Promise<{ seconds: number; cpu: number; peakMiB: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'granary-bench-feast-'));
  try {
    const spec = join(folder, 'spec.json');
    await writeFile(
      spec,
      JSON.stringify({
        redis: connectionString(url),
        offline: 'file',
        project: VIEW.project,
        view: VIEW.name,
        key: VIEW.joinKeys[0]?.name,
        features: Object.fromEntries(VIEW.features.map(({ name, type }) => [name, type])),
        parquet,
      }),
      // A password may be in it.
      { mode: 0o600 },
    );
    const { stdout } = await promisify(execFile)(
      python ?? 'python3',
      [join(import.meta.dirname, 'run_feast.py'), spec],
      { maxBuffer: 1 << 26 },
    );
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      seconds: number;
      cpu: number;
      peakMiB: number;
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Feast's way to write where a Redis is: `host:port,db=0,password=...`. */
function connectionString(url: string): string {
  const { hostname, port, password, username, pathname, protocol } = new URL(url);
  return [
    `${hostname}:${port || '6379'}`,
    `db=${pathname.slice(1) || '0'}`,
    ...(username ? [`username=${decodeURIComponent(username)}`] : []),
    ...(password ? [`password=${decodeURIComponent(password)}`] : []),
    ...(protocol === 'rediss:' ? ['ssl=true'] : []),
  ].join(',');
}
