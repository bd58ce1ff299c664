import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { shop, writeSales, type Shop } from '../fixtures/shop.js';
import { openLake } from './lake.js';
import type { Watched } from './reader-probe.js';
import { BUCKET } from './s3.js';
import type { World } from './world.js';

/** Other amounts for the same users, and one user that nobody knows. */
const BAD_SALES = `SELECT * FROM (VALUES
  (1::BIGINT, TIMESTAMP '2026-01-01 10:00:00', -0.125::DOUBLE), (1, TIMESTAMP '2026-01-02 10:00:00.000001', 1e9),
  (2, TIMESTAMP '2026-01-02 12:00:00', 0.1), (9007199254740993, TIMESTAMP '2026-01-01 00:00:00', 2.5),
  (777, TIMESTAMP '2026-01-01 00:00:00', 3.5)) t(user_id, sold_at, amount)`;

export const DAY = '2026-01-02';
const USERS = [1n, 2n, 9007199254740993n];
const ROWS = ['features.parquet', 'features.csv', 'schema.json'];

/** What readers see of the feature set `totals`, by every way there is. */
export interface Seen {
  readonly version: string;
  readonly generation: number;
  /** SHA-256 by file name. */
  readonly files: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly run: Readonly<Record<string, unknown>>;
  readonly online: readonly unknown[];
  readonly inputs: readonly unknown[];
  readonly ledger: readonly unknown[];
}

export async function seen(world: World, { project, view, lake: address }: Shop): Promise<Seen> {
  await using lake = openLake(address);
  const read = async (path: string): Promise<Buffer> => {
    const bytes = await lake.read(`totals/${path}`);
    if (!bytes) throw new Error(`${address}/totals/${path} cannot be read`);
    return bytes;
  };
  const pointer = JSON.parse(String(await read('latest.json'))) as {
    version: string;
    generation: number;
    files: { path: string; sha256: string }[];
  };
  const files: Record<string, string> = {};
  for (const { path, sha256 } of pointer.files) {
    for (const folder of [pointer.version, 'latest'])
      expect(
        createHash('sha256')
          .update(await read(`${folder}/${path}`))
          .digest('hex'),
      ).toBe(sha256);
    if (ROWS.includes(path)) files[path] = sha256;
  }
  const { run, ...metadata } = JSON.parse(String(await read('latest/metadata.json'))) as {
    run: Record<string, unknown>;
  };
  const client = await GranaryClient.connect({ project });
  const online = await client.features(
    view,
    USERS.map((user_id) => ({ user_id })),
  );
  await client.close();
  return {
    version: pointer.version,
    generation: pointer.generation,
    files,
    metadata,
    run,
    online: online.map(({ values, eventTime }) => ({ ...values, at: String(eventTime) })),
    inputs: await world.registry(
      project,
      `SELECT i.position, i.source, i.detail FROM {schema}.dataset_inputs i JOIN {schema}.datasets d ON d.id = i.dataset_id WHERE d.version = '${pointer.version}' AND d.target LIKE 'source/totals.%' ORDER BY 1`,
    ),
    ledger: await world.registry(
      project,
      `SELECT l.target, l.interval_start, l.interval_end, l.fingerprint, l.inputs_hash, l.detail->'rows' AS rows, d.version, d.rows AS n, d.event_min, d.event_max, d.code_hash FROM {schema}.ledger l JOIN {schema}.datasets d ON d.id = l.dataset_id WHERE l.target LIKE 'source/totals.%' OR l.target LIKE 'view/totals.%' ORDER BY 1, 2`,
    ),
  };
}

/** What readers of a shop look at while something goes wrong. */
export const watchedShop = ({ project, lake }: Shop): Watched => ({
  project,
  lake,
  folder: 'totals',
  view: 'totals',
  joinKey: { name: 'user_id', type: 'int64' },
  entities: [1n, 2n],
});

/** A shop with a good version of a day, and then a bad one in its place. */
export async function spoilt(
  world: World,
  files: 'local' | 's3' = 'local',
): Promise<{ readonly shop: Shop; readonly folder: string; readonly good: Seen; readonly bad: Seen }> {
  const name = `b${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const made = await shop(name, folder, files === 's3' ? { lake: `s3://${BUCKET}/${name}` } : {});
  return await world.withWorker(made.project, async (client) => {
    const run = async (): Promise<Seen> => {
      await (await client.run('shop_daily', { date: DAY })).result();
      return await seen(world, made);
    };
    const good = await run();
    await writeSales(folder, BAD_SALES);
    const bad = await run();
    expect(bad).toMatchObject({ generation: 2 });
    for (const [i, values] of good.online.entries()) expect(bad.online[i]).not.toEqual(values);
    return { shop: made, folder, good, bad };
  });
}

/** That everything readers see equals an earlier time but for what a rollback makes anew. */
export function expectAgain(now: Seen, good: Seen, generation = 3): void {
  const unversioned = ({ ledger }: Seen): unknown[] =>
    ledger.map((row) => ({ ...(row as object), version: now.version }));
  expect(now.files).toEqual(good.files);
  expect(now.metadata).toEqual(good.metadata);
  expect(now.online).toEqual(good.online);
  expect(now.inputs).toEqual(good.inputs);
  expect(now.ledger).toEqual(unversioned(good));
  expect(now.generation).toBe(generation);
  expect(now.version).not.toBe(good.version);
  expect(now.run).toMatchObject({ version: now.version, generation, rollback: { of: good.version } });
}
