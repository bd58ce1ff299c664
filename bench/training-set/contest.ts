import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { query } from './query.js';
import type { BenchSet, Contestant } from './sets.js';

/** What one contestant took, once. */
export interface Taken {
  readonly seconds: number;
  /** CPU seconds of the process, all threads together. */
  readonly cpu: number;
  readonly peakMiB: number;
  /** Rows that came out, and of every feature how many are not NULL and their sum. */
  readonly result: Result;
}
export interface Result {
  readonly rows: number;
  readonly features: Readonly<Record<string, readonly [values: number, sum: number]>>;
}
/** Why there is nothing. */
export interface Failed {
  readonly failed: string;
}

/** How contestants are run. */
export interface Conditions {
  readonly folder: string;
  readonly python: string;
  /** DuckDB's limit for Granary. */
  readonly memoryLimit: string;
  /** What Feast's process may address at most, in GiB. */
  readonly feastGiB: number;
  readonly timeoutMs: number;
}

/** One contestant joins a set, in a process of its own. */
export async function contest(set: BenchSet, who: Contestant, at: Conditions): Promise<Taken | Failed> {
  const spec = join(at.folder, `${set.name}.json`);
  const out = join(at.folder, `${set.name}-out.parquet`);
  await writeFile(spec, JSON.stringify(set.spec));
  const script = (name: string): string => join(import.meta.dirname, name);
  const [command, args] =
    who === 'granary'
      ? [process.execPath, ['--import', 'tsx', script('run-granary.ts'), spec, out, at.memoryLimit]]
      : who === 'polars'
        ? [at.python, [script('run_polars.py'), spec, out]]
        : [
            at.python,
            [
              script('run_feast.py'),
              spec,
              out,
              who === 'feast duckdb' ? 'duckdb' : 'dask',
              String(at.feastGiB),
            ],
          ];
  const { code, output, log } = await run(command, args, at.timeoutMs);
  const line = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || line === '')
    return {
      failed: code === undefined ? `not done in ${at.timeoutMs / 1000} s` : `ended with ${code}: ${log}`,
    };
  const taken = JSON.parse(line) as Omit<Taken, 'result'> | Failed;
  if ('failed' in taken) return taken;
  const result = await resultOf(out, set);
  await rm(out, { force: true });
  return { ...taken, result };
}

/** Runs a program to its end; `code` is undefined when it was stopped for its time. */
async function run(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<{ readonly code: number | undefined; readonly output: string; readonly log: string }> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let log = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (log = `${log}${data.toString()}`.slice(-600)));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const code = await new Promise<number | undefined>((resolve) => {
    child.once('close', (status, signal) =>
      resolve(signal === 'SIGKILL' && child.killed ? undefined : (status ?? 1)),
    );
  });
  clearTimeout(timer);
  return { code, output, log: log.trim() };
}

async function resultOf(parquet: string, { spec }: BenchSet): Promise<Result> {
  const outputs = spec.views.flatMap(({ features }) => Object.values(features));
  const [row = []] = await query(
    `SELECT count(*), ${outputs.map((name) => `count("${name}") FILTER (WHERE NOT isnan("${name}"::DOUBLE)), coalesce(sum("${name}"::DOUBLE) FILTER (WHERE NOT isnan("${name}"::DOUBLE)), 0)`).join(', ')} FROM '${parquet}'`,
  );
  const values = row.map(Number);
  return {
    rows: values[0] ?? 0,
    features: Object.fromEntries(
      outputs.map((name, i) => [name, [values[1 + 2 * i] ?? 0, values[2 + 2 * i] ?? 0]]),
    ),
  };
}

/** What differs between two results, in words; undefined: nothing. Sums may differ by how they were added up. */
export function difference(one: Result, other: Result): string | undefined {
  if (one.rows !== other.rows)
    return `${other.rows.toLocaleString('en')} of ${one.rows.toLocaleString('en')} rows`;
  for (const [name, [values, sum]] of Object.entries(one.features)) {
    const [found = NaN, total = NaN] = other.features[name] ?? [];
    if (found !== values) return `${name}: ${found} values, not ${values}`;
    if (Math.abs(total - sum) > 1e-9 * Math.max(1, Math.abs(sum))) return `${name}: sum ${total}, not ${sum}`;
  }
  return undefined;
}
