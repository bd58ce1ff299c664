import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { ScalarType } from '../../definitions/types.js';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { redisKey } from '../../feast/redis-layout.js';
import { ORDER_BYTES, orderField } from '../../providers/online/redis/order.js';
import { openLake, Unanswered, type Lake } from './lake.js';
import { addresses, type World } from './world.js';

/** Readers that look at everything users see, fifty times a second, while something goes wrong. */
export interface ReaderProbe extends AsyncDisposable {
  /** Stops, and fails the test with everything that no reader may see. */
  verify(): Promise<void>;
}

/** What the readers look at: a feature set of a project, and a sample of the entities of a view over it. */
export interface Watched {
  readonly project: { readonly name: string };
  /** The address of the lake, and the folder of the feature set's versions in it. */
  readonly lake: string;
  readonly folder: string;
  readonly view: string;
  readonly joinKey: { readonly name: string; readonly type: ScalarType };
  readonly entities: readonly unknown[];
}

const PAUSE_MS = 20;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Pointer {
  readonly version: string;
  readonly interval: { readonly end: string };
  readonly generation: number;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

export async function probeReaders(world: World, watched: Watched): Promise<ReaderProbe> {
  const probe = new Probe(watched);
  await probe.redis.connect().catch(() => undefined);
  let stopped = false;
  const loops = [probe.version, probe.latest, probe.keys].map(async (look) => {
    while (!stopped) {
      await look.call(probe).catch((error: unknown) => {
        if (!(error instanceof Unanswered)) probe.wrong(`a look failed: ${String(error)}`);
      });
      await sleep(PAUSE_MS);
    }
  });
  const stop = async (): Promise<void> => {
    stopped = true;
    await Promise.all(loops);
    probe.redis.disconnect();
    await probe.lake[Symbol.asyncDispose]();
  };
  return {
    async verify() {
      await stop();
      const committed = await world.registry(
        watched.project,
        `SELECT file->>'sha256' AS sha256 FROM {schema}.datasets, jsonb_array_elements(files) AS file WHERE file->>'name' = 'features.parquet'`,
      );
      const known = new Set(committed.map((row) => row['sha256']));
      for (const seen of probe.parquets)
        if (!known.has(seen)) probe.wrong(`latest/features.parquet had bytes that nobody committed: ${seen}`);
      expect([...probe.violations]).toEqual([]);
      // A probe that saw nothing proves nothing.
      for (const [what, reads] of Object.entries(probe.reads))
        expect(reads, `reads of ${what}`).toBeGreaterThan(0);
    },
    [Symbol.asyncDispose]: stop,
  };
}

class Probe {
  readonly violations = new Set<string>();
  readonly reads = { version: 0, latest: 0, keys: 0 };
  /** SHA-256 of every latest/features.parquet that was read. */
  readonly parquets = new Set<string>();
  readonly redis = new Redis(addresses.redis, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 2000,
    retryStrategy: () => 100,
  });
  readonly lake: Lake;
  readonly #watched: Watched;
  readonly #project: string;
  readonly #keys: readonly Buffer[];
  #newest: { readonly end: string; readonly generation: number } | undefined;
  #sawLatest = false;
  #storeId: string | undefined;
  readonly #stored = new Map<string, { readonly order: Buffer; readonly fields: ReadonlySet<string> }>();

  constructor(watched: Watched) {
    this.#watched = watched;
    this.lake = openLake(watched.lake);
    this.#project = `${watched.project.name}_dev`;
    const serializer = new EntityKeySerializer([watched.joinKey]);
    this.#keys = watched.entities.map((entity) =>
      Buffer.from(redisKey(serializer.serialize([entity]), this.#project)),
    );
    this.redis.on('error', () => undefined);
  }

  wrong(what: string): void {
    this.violations.add(what);
  }

  /** `latest.json` -> `v_.../`: one complete version, never an older one than before. */
  async version(): Promise<void> {
    const text = await this.#read('latest.json');
    if (text === undefined) {
      if (this.#newest) this.wrong('latest.json is gone');
      return;
    }
    const pointer = JSON.parse(text.toString()) as Pointer;
    const { version, generation, interval } = pointer;
    for (const { path, sha256 } of pointer.files) {
      const bytes = await this.#read(`${version}/${path}`);
      if (!bytes || sha(bytes) !== sha256)
        this.wrong(`latest.json -> ${version}/${path}: ${bytes ? 'other bytes' : 'not there'}`);
    }
    const before = this.#newest;
    if (
      before &&
      (interval.end < before.end || (interval.end === before.end && generation < before.generation))
    )
      this.wrong(
        `latest.json went back from ${before.end} (${before.generation}) to ${interval.end} (${generation})`,
      );
    this.#newest = { end: interval.end, generation };
    this.reads.version++;
  }

  /** `latest/features.parquet`: whole, whatever is beside it; other files beside it show in their checksums. */
  async latest(): Promise<void> {
    const parquet = await this.#read('latest/features.parquet');
    if (!parquet) {
      if (this.#sawLatest) this.wrong('latest/features.parquet is gone');
      return;
    }
    this.#sawLatest = true;
    this.parquets.add(sha(parquet));
    const metadata = await this.#read('latest/metadata.json');
    if (metadata) {
      const { files } = JSON.parse(metadata.toString()) as { files: Record<string, { sha256: string }> };
      if (!files['features.parquet'])
        this.wrong('latest/metadata.json holds no checksum of the parquet file');
    }
    this.reads.latest++;
  }

  /** A sample of entities: no order goes back, no field is lost, unless the store was emptied. */
  async keys(): Promise<void> {
    const transaction = this.redis.multi().get(`__granary:store:${this.#project}`);
    for (const key of this.#keys) transaction.hgetallBuffer(key);
    // A transaction that was under way when the server was killed may never be answered.
    const replies = await Promise.race([transaction.exec().catch(() => undefined), sleep(3000)]);
    if (!replies || replies.some(([error]) => error)) return;
    const [id, ...hashes] = replies.map(([, reply]) => reply);
    if (id !== this.#storeId) this.#stored.clear();
    this.#storeId = id as string;
    const mark = Buffer.from(orderField(this.#watched.view)).toString();
    hashes.forEach((reply, i) => {
      const entity = String(this.#watched.entities[i]);
      const hash = reply as Record<string, Buffer>;
      const order = (hash[mark] ?? Buffer.alloc(0)).subarray(0, ORDER_BYTES);
      const fields = new Set(Object.keys(hash));
      const before = this.#stored.get(entity);
      if (before && Buffer.compare(order, before.order) < 0)
        this.wrong(`${entity} went back from ${before.order.toString('hex')} to ${order.toString('hex')}`);
      for (const field of before?.fields ?? [])
        if (!fields.has(field)) this.wrong(`${entity} lost the field ${Buffer.from(field).toString('hex')}`);
      if (fields.size > 0) this.#stored.set(entity, { order, fields });
    });
    if (this.#stored.size > 0) this.reads.keys++;
  }

  async #read(path: string): Promise<Buffer | undefined> {
    return await this.lake.read(`${this.#watched.folder}/${path}`);
  }
}
