import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Redis } from 'ioredis';
import { feastMaterialize, python } from './feast.js';
import type { LoadRequest, LoadResult } from './load.js';
import type { BenchServer } from './server.js';

/** One day's rows: staged shards, and the same rows as a file of HSETs. */
export interface Day {
  readonly parquet: string;
  readonly shards: readonly string[];
  readonly pipe: string;
}

/** One way into the store, once. */
export interface Measurement {
  /** Entities a second. */
  readonly rate: number;
  /** Cores that the loading process kept busy; NaN for redis-cli. */
  readonly clientCpu: number;
  /** Cores that the server kept busy. */
  readonly serverCpu: number;
  /** Peak resident memory of the loading process; NaN for redis-cli. */
  readonly peakMiB: number;
}

const SAMPLE = 200;

/**
 * Every way into the store once, each right after its counterparts. Fails when a way did not store every entity, or
 * stored other fields than redis-cli.
 */
export async function measureRound(
  server: BenchServer,
  entities: number,
  [older, newer]: readonly [Day, Day],
): Promise<ReadonlyMap<string, Measurement>> {
  const round = new Map<string, Measurement>();
  const samples = new Map<Day, Sample>();
  const measure = async (
    name: string,
    stored: Day,
    run: () => Promise<{ seconds: number; cpu: number; peakMiB: number }>,
  ): Promise<void> => {
    const before = await server.cpu();
    const { seconds, cpu, peakMiB } = await run();
    const serverCpu = ((await server.cpu()) - before) / seconds;
    round.set(name, { rate: entities / seconds, clientCpu: cpu / seconds, serverCpu, peakMiB });
    const keys = await server.redis.dbsize();
    if (keys !== entities) throw new Error(`${name}: ${keys} entities are stored, not ${entities}.`);
    const sample = samples.get(stored);
    if (!sample) samples.set(stored, await takeSample(server.redis));
    else await compareSample(server.redis, sample, name);
  };
  const pipe = (day: Day) => () => pipeFile(server.url, day.pipe, entities);
  const load =
    (from: LoadRequest['from'], expected: 'written' | 'older' | 'unchanged', blind = false) =>
    async () => {
      const result = await loadInProcess({ url: server.url, from, blind });
      if (result[expected] !== entities)
        throw new Error(`${result[expected]} rows were ${expected}, not ${entities}.`);
      return result;
    };
  await server.empty();
  await measure('redis-cli --pipe, new', older, pipe(older));
  await measure('redis-cli --pipe, over older', newer, pipe(newer));
  await server.empty();
  await measure('blind HSET, new', older, load(older, 'written', true));
  await measure('blind HSET, over older', newer, load(newer, 'written', true));
  await server.empty();
  await measure('newer wins, new', older, load(older, 'written'));
  await measure('newer wins, over older', newer, load(newer, 'written'));
  await measure('newer wins, replayed', newer, load(newer, 'unchanged'));
  await measure('newer wins, older rows', newer, load(older, 'older'));
  if (python !== undefined) {
    await server.empty();
    await measure('newer wins, of a file', older, load({ parquet: older.parquet }, 'written'));
    await server.empty();
    await measure('feast materialize, of a file', older, () => feastMaterialize(server.url, older.parquet));
  }
  await server.empty();
  return round;
}

async function pipeFile(
  url: string,
  file: string,
  entities: number,
): Promise<{ seconds: number; cpu: number; peakMiB: number }> {
  const began = performance.now();
  // The URL goes by the environment: arguments are seen by every user of the machine.
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', 'exec redis-cli -u "$TARGET" --pipe < "$0"', file],
    {
      env: { ...process.env, TARGET: url },
    },
  );
  const seconds = (performance.now() - began) / 1000;
  if (!stdout.includes(`errors: 0, replies: ${entities}`)) throw new Error(`redis-cli: ${stdout}`);
  return { seconds, cpu: NaN, peakMiB: NaN };
}

/** Loads in a process of its own, whose peak memory is that of one load. */
async function loadInProcess(request: LoadRequest): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, 'load.ts'), { execArgv: ['--import', 'tsx'] });
  const ended = once(child, 'exit');
  child.send(request);
  const result: unknown = await Promise.race([
    once(child, 'message').then(([message]) => message as unknown),
    ended,
  ]);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`The loading process ended with ${code}.`);
  return result as LoadResult;
}

/** Keys and their hashes, as text; also without Granary's own field, which Feast does not write. */
interface Sample {
  readonly withOrder: ReadonlyMap<Buffer, string>;
  readonly withoutOrder: ReadonlyMap<Buffer, string>;
}

async function takeSample(redis: Redis): Promise<Sample> {
  const sample = { withOrder: new Map<Buffer, string>(), withoutOrder: new Map<Buffer, string>() };
  for (let i = 0; i < SAMPLE; i++) {
    const key = await redis.randomkeyBuffer();
    if (!key) continue;
    sample.withOrder.set(key, await hashOf(redis, key, true));
    sample.withoutOrder.set(key, await hashOf(redis, key, false));
  }
  return sample;
}

async function compareSample(redis: Redis, { withOrder, withoutOrder }: Sample, name: string): Promise<void> {
  const ofFeast = name.startsWith('feast');
  for (const [key, hash] of ofFeast ? withoutOrder : withOrder)
    if ((await hashOf(redis, key, !ofFeast)) !== hash)
      throw new Error(`${name}: the key ${key.toString('hex')} holds other fields than redis-cli stored.`);
}

async function hashOf(redis: Redis, key: Buffer, withOrder: boolean): Promise<string> {
  const fields = await redis.hkeysBuffer(key);
  const values = fields.length > 0 ? await redis.hmgetBuffer(key, ...fields) : [];
  return fields
    .flatMap((field, i) =>
      field.toString('latin1').startsWith('__granary:') && !withOrder
        ? []
        : [`${field.toString('hex')}=${values[i]?.toString('hex')}`],
    )
    .sort()
    .join(' ');
}
