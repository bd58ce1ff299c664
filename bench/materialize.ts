/**
 * How fast entities go online: staged Parquet shards, through the code of the load activity, into Redis, newer wins;
 * against `redis-cli --pipe` of HSETs that store the same fields, and against the same load with blind HSETs. And from the Parquet file itself
 * against `feast materialize` of that file, where `npm run python` has made its environment. Run:
 * `npm run bench -- materialize [--entities 1000000] [--rounds 3]`. Starts a redis-server of its own, or uses the empty
 * database at REDIS_URL. Needs apt's redis-server (with redis-cli). The machine's other work shows in all figures: trust
 * the ratios, which are taken within a round.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { duckdbOfflineProvider } from '../providers/offline/duckdb/provider.js';
import { stageDay } from './materialize/data.js';
import { writePipeFile } from './materialize/pipe-file.js';
import { measureRound, type Day } from './materialize/round.js';
import { benchServer } from './materialize/server.js';
import { table } from './materialize/table.js';

const { values: flags } = parseArgs({
  options: { entities: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
});
const entities = Number(flags.entities);
const rounds = Number(flags.rounds);
if (!(Number.isInteger(entities) && entities > 0 && Number.isInteger(rounds) && rounds > 0))
  throw new Error('--entities and --rounds are whole numbers above 0.');

const server = await benchServer();
const folder = await mkdtemp(join(tmpdir(), 'granary-bench-'));
try {
  console.log(`server  ${server.description}; ${availableParallelism()} cores; Node ${process.version}`);
  const days = await makeDays();
  const results: Awaited<ReturnType<typeof measureRound>>[] = [];
  for (let round = 1; round <= rounds; round++) {
    results.push(await measureRound(server, entities, days));
    console.log(`round   ${round} of ${rounds} done`);
  }
  console.log(`\n${entities.toLocaleString('en')} entities, 8 features; medians of ${rounds} rounds\n`);
  console.log(table(results));
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The rows of two days, of the same entities. */
async function makeDays(): Promise<readonly [Day, Day]> {
  const session = await duckdbOfflineProvider().open({
    scratch: join(folder, 'spill'),
    memoryLimit: '4GiB',
    threads: availableParallelism(),
    signal: new AbortController().signal,
  });
  try {
    const make = async (day: number): Promise<Day> => {
      const { parquet, shards } = await stageDay(session, { entities, day, folder });
      const pipe = join(folder, `day-${day}.resp`);
      const bytes = await writePipeFile(session, shards, pipe);
      console.log(
        `staged  day ${day}: ${shards.length} shards; as HSETs ${bytes.toLocaleString('en')} bytes`,
      );
      return { parquet, shards, pipe };
    };
    return [await make(0), await make(1)];
  } finally {
    await session.close();
  }
}
