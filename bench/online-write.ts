/**
 * How fast rows go into Redis, newer wins, against blind HSETs of the same Feast fields, pipelined on a raw socket from
 * bytes that were made before the clock started: what the server can take at most. Run: REDIS_URL=redis://127.0.0.1:6379/15
 * npx tsx bench/online-write.ts. Writes 100,000 entities of 8 features under a project of its own and removes them.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { Timestamp } from '../definitions/timestamp.js';
import { ByteWriter } from '../feast/byte-writer.js';
import { EntityKeySerializer } from '../feast/entity-key.js';
import { featureField, redisKey, timestampField } from '../feast/redis-layout.js';
import { encodeTimestamp } from '../feast/timestamp.js';
import { encodeValue } from '../feast/value.js';
import type { OnlineBatch, OnlineView } from '../providers/online/provider.js';
import { redisOnlineProvider } from '../providers/online/redis/provider.js';

const ENTITIES = 100_000;
const ROUNDS = 3;
const ROWS_PER_WRITE = 10_000;

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379/15';
const view: OnlineView = {
  project: `bench_${randomBytes(4).toString('hex')}`,
  name: 'user_features',
  joinKeys: [{ name: 'user_id', type: 'int64' }],
  features: (['int64', 'float64', 'float64', 'float32', 'int64', 'string', 'bool', 'float64'] as const).map(
    (type, i) => ({ name: `f_feature_${i}`, type }),
  ),
};
const ids = Array.from({ length: ENTITIES }, (_, i) => BigInt(i));
const columns: readonly (readonly unknown[])[] = view.features.map(({ type }, f) =>
  ids.map((_, i) => {
    if (type === 'int64') return BigInt(i * (f + 1));
    if (type === 'string') return `country-${i % 200}`;
    if (type === 'bool') return i % 3 === 0;
    return i / 7 + f;
  }),
);
const times = [Timestamp.from('2026-01-01').micros, Timestamp.from('2026-01-02').micros] as const;

/** Feast's HSETs of all entities, a thousand a chunk. */
function blindCommands(time: bigint): Buffer[] {
  const fields = view.features.map(({ name }) => featureField(view.name, name));
  const serializer = new EntityKeySerializer(view.joinKeys);
  const timestamp = encodeTimestamp(time);
  const chunks: Buffer[] = [];
  const writer = new ByteWriter();
  const bulk = (bytes: Uint8Array): void => {
    writer.utf8(`$${bytes.length}\r\n`);
    writer.raw(bytes);
    writer.utf8('\r\n');
  };
  ids.forEach((id, i) => {
    writer.utf8(`*${4 + 2 * fields.length}\r\n$4\r\nHSET\r\n`);
    bulk(redisKey(serializer.serialize([id]), view.project));
    fields.forEach((field, f) => {
      bulk(field);
      bulk(encodeValue(view.features[f]?.type ?? 'int64', columns[f]?.[i]));
    });
    bulk(timestampField(view.name));
    bulk(timestamp);
    if (i % 1000 === 999) {
      chunks.push(Buffer.from(writer.take()));
      writer.reset();
    }
  });
  return chunks;
}

async function blind(chunks: readonly Buffer[]): Promise<void> {
  const { hostname, port, password, username, pathname } = new URL(url);
  const socket = connect(Number(port || 6379), hostname);
  let expected = ENTITIES + 1;
  const done = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    // Every reply is one line.
    socket.on('data', (data: Buffer) => {
      for (const byte of data) if (byte === 10) expected--;
      if (expected <= 0) resolve();
    });
  });
  if (password) {
    expected++;
    socket.write(`AUTH ${username || 'default'} ${password}\r\n`);
  }
  socket.write(`SELECT ${pathname.slice(1) || '0'}\r\n`);
  for (const chunk of chunks)
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
  await done;
  socket.destroy();
}

function batches(time: bigint): OnlineBatch[] {
  return Array.from({ length: ENTITIES / ROWS_PER_WRITE }, (_, b) => {
    const part = <T>(items: readonly T[]): T[] => items.slice(b * ROWS_PER_WRITE, (b + 1) * ROWS_PER_WRITE);
    return {
      rows: ROWS_PER_WRITE,
      keys: [part(ids)],
      values: columns.map(part),
      eventTimes: Array.from({ length: ROWS_PER_WRITE }, () => time),
      createdTimes: Array.from({ length: ROWS_PER_WRITE }, () => null),
      generations: Array.from({ length: ROWS_PER_WRITE }, () => 1),
    };
  });
}

const provider = redisOnlineProvider({ url });
const redis = new Redis(url);
const keys = ids.map((id) =>
  Buffer.from(redisKey(new EntityKeySerializer(view.joinKeys).serialize([id]), view.project)),
);
const removeAll = async (): Promise<void> => {
  for (let i = 0; i < keys.length; i += 1000) await redis.del(keys.slice(i, i + 1000));
};

async function timed(run: () => Promise<unknown>): Promise<{ rate: number; cpu: number }> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { rate: ENTITIES / seconds, cpu: (user + system) / 1e6 / seconds };
}

const load = async (list: readonly OnlineBatch[]): Promise<void> => {
  for (const batch of list) await provider.write(view, 1, batch);
};
const old = { blind: blindCommands(times[0]), ours: batches(times[0]) };
const fresh = { blind: blindCommands(times[1]), ours: batches(times[1]) };
const results = new Map<string, { rate: number; cpu: number }[]>();
const record = async (name: string, run: () => Promise<unknown>): Promise<void> => {
  results.set(name, [...(results.get(name) ?? []), await timed(run)]);
};

// Warm: the script, the code.
await load(old.ours);
for (let round = 0; round < ROUNDS; round++) {
  await removeAll();
  await record('blind new', () => blind(old.blind));
  await record('blind newer', () => blind(fresh.blind));
  await removeAll();
  await record('ours new', () => load(old.ours));
  await record('ours newer', () => load(fresh.ours));
  await record('ours replayed', () => load(fresh.ours));
  await record('ours older', () => load(old.ours));
}
await removeAll();
redis.disconnect();
await provider.close();

const median = (name: string, of: 'rate' | 'cpu'): number =>
  results
    .get(name)
    ?.map((result) => result[of])
    .sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
for (const [name, against] of [
  ['blind new', 'blind new'],
  ['ours new', 'blind new'],
  ['blind newer', 'blind newer'],
  ['ours newer', 'blind newer'],
  ['ours replayed', 'blind newer'],
  ['ours older', 'blind newer'],
] as const)
  console.log(
    `${name.padEnd(14)} ${Math.round(median(name, 'rate')).toLocaleString('en').padStart(9)} entities/s  ` +
      `x${(median(name, 'rate') / median(against, 'rate')).toFixed(2)} of ${against}  client CPU ${median(name, 'cpu').toFixed(2)}`,
  );
