/**
 * A process that joins as the training set's activity does: `tsx run-granary.ts <spec.json> <out.parquet> <memory limit>`; prints what it took as
 * one line of JSON.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckdbSession } from '../../providers/offline/duckdb/session.js';
import { requestOf } from './request.js';
import type { JoinSpec } from './sets.js';

const [spec = '', parquet = '', memoryLimit = '6GiB'] = process.argv.slice(2);
const request = requestOf(JSON.parse(await readFile(spec, 'utf8')) as JoinSpec, parquet);
const scratch = await mkdtemp(join(tmpdir(), 'granary-bench-spill-'));
const began = performance.now();
const cpu = process.cpuUsage();
const session = await DuckdbSession.open({
  scratch,
  memoryLimit,
  threads: availableParallelism(),
  signal: new AbortController().signal,
});
const { rows } = await session.pointInTimeJoin(request);
const seconds = (performance.now() - began) / 1000;
const used = process.cpuUsage(cpu);
await session.close();
await rm(scratch, { recursive: true, force: true });
console.log(
  JSON.stringify({
    seconds,
    cpu: (used.user + used.system) / 1e6,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    rows,
  }),
);
