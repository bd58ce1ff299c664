import { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion, OnlineLayout } from '../../../definitions/provider.js';
import { ByteWriter } from '../../../feast/byte-writer.js';
import { refuseNullKeys } from '../null-keys.js';
import type {
  EntityRows,
  OnlineBatch,
  OnlineProvider,
  OnlineRead,
  OnlineRow,
  OnlineView,
  StoredRows,
  StoreState,
  WriteCounts,
} from '../provider.js';
import { BatchEncoder, WireBuffer } from './batch-encoder.js';
import { RedisContents } from './contents.js';
import { fencesKey, RAISE_FENCE } from './fences.js';
import { RawCommand } from './raw-command.js';
import { ReadConnection } from './read-connection.js';
import { entityPages, type PageSource } from './entity-pages.js';
import { RedisCredentials } from './credentials.js';
import { checkServer } from './health.js';
import { isRefused, redisError, replyWord } from './redis-errors.js';
import { collectTombstones, removeBelow, removeView } from './remove-view.js';
import { rowCodec } from './row-codec.js';
import { Slots } from './slots.js';
import { StoredReads } from './stored-reads.js';

/** Rows of one script call: long enough that the call costs little, short enough to block the server for under 1 ms. */
const ROWS_PER_CALL = 100;
/** About 1 MB on the way: enough for neither side to wait for the other while the machine's cores are busy with others. */
const CALLS_IN_FLIGHT = 32;
const KEYS_PER_READ = 500;
const CONNECT_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT_MS = 5000;
const RETRIES = 3;

/**
 * An online store in Redis 7.0 or newer, or Valkey, in Feast's layout. `url` is `redis://` or `rediss://` (TLS), with user,
 * password and database where needed. Connects at the first use; a command fails after a second when the server refuses
 * connections, and after five when it is silent. A function is asked again for each new connection, and when the server refuses the
 * password: so a rotated one is taken up.
 * @throws GranaryError `ConfigurationMissing` when the URL is not one.
 */
export function redisOnlineProvider(
  options: {
    readonly url: string | (() => string);
    /** For `rediss://`: the certificates (PEM) of the authorities to trust in place of those that Node knows. */
    readonly ca?: () => string;
  } & OnlineLayout,
): OnlineProvider {
  const { url, ca, entityKeySerialization = 3 } = options;
  return new RedisOnlineProvider(
    new RedisCredentials(typeof url === 'string' ? () => url : url, ca),
    entityKeySerialization,
  );
}

class RedisOnlineProvider implements OnlineProvider {
  readonly description: string;
  readonly #redis: Redis;
  readonly #contents: RedisContents;
  readonly #slots = new Slots(CALLS_IN_FLIGHT, () => new WireBuffer());
  readonly #encoders = new WeakMap<OnlineView, BatchEncoder>();
  readonly #credentials: RedisCredentials;
  readonly #keyVersion: EntityKeyVersion;
  readonly #stored: StoredReads;
  /** A connection of its own: reads do not queue behind writes, and their replies are not made into objects. */
  readonly #reader: ReadConnection;
  #connectionError: Error | undefined;

  constructor(credentials: RedisCredentials, keyVersion: EntityKeyVersion) {
    this.#credentials = credentials;
    this.#keyVersion = keyVersion;
    this.description = `redis at ${publicAddress(credentials.url)}`;
    this.#redis = new Redis(credentials.url, {
      lazyConnect: true,
      ...credentials.tls,
      // Nothing here needs RESP3, and RESP2 goes through every proxy.
      protocol: 2,
      disableClientInfo: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: RETRIES,
      retryStrategy: (attempt) => {
        this.#credentials.renew(this.#redis);
        return Math.min(50 * 2 ** attempt, 1000);
      },
    });
    this.#contents = new RedisContents(this.#redis, this.description, keyVersion);
    this.#stored = new StoredReads(keyVersion);
    this.#reader = new ReadConnection(() => {
      this.#credentials.renew(this.#redis);
      return this.#redis.options;
    });
    this.#redis.on('error', (error: Error) => (this.#connectionError = error));
    this.#redis.on('ready', () => (this.#connectionError = undefined));
  }

  async check(): Promise<void> {
    await this.#run(() => checkServer(this.#redis, this.description));
  }

  async state(project: string): Promise<StoreState> {
    return this.#run(() => this.#contents.state(project));
  }

  async renew(project: string, lost: string): Promise<void> {
    await this.#run(() => this.#contents.renew(project, lost));
  }

  async receipt(project: string, view: string): Promise<number> {
    return this.#run(() => this.#contents.receipt(project, view));
  }

  async acknowledge(project: string, view: string, state: StoreState, receipt: number): Promise<boolean> {
    return this.#run(() => this.#contents.acknowledge(project, view, state, receipt));
  }

  async prepare(): Promise<void> {
    // Redis needs no table.
  }

  async write(view: OnlineView, promotion: number, batch: OnlineBatch): Promise<WriteCounts> {
    refuseNullKeys(view, batch);
    const encoder = this.#encoder(view);
    const total = { written: 0, older: 0, unchanged: 0 };
    const calls = new Set<Promise<void>>();
    let failure: unknown;
    try {
      for (let from = 0; from < batch.rows && failure === undefined; from += ROWS_PER_CALL) {
        const memory = await this.#slots.take();
        if (failure !== undefined) {
          // A call failed while this one waited for its place: a silent server would keep it for as long again.
          this.#slots.give(memory);
          break;
        }
        let wire: Buffer;
        try {
          wire = encoder.encode(memory, batch, promotion, from, Math.min(from + ROWS_PER_CALL, batch.rows));
        } catch (error) {
          this.#slots.give(memory);
          throw error;
        }
        const call = this.#call(encoder, wire)
          .then(([written = 0, older = 0, unchanged = 0]) => {
            total.written += written;
            total.older += older;
            total.unchanged += unchanged;
            this.#slots.give(memory);
          })
          .catch((error: unknown) => {
            failure ??= error;
            // The connection may still hold the bytes of a call that failed.
            this.#slots.give();
          })
          .finally(() => calls.delete(call));
        calls.add(call);
      }
    } finally {
      await Promise.all(calls);
    }
    if (failure !== undefined) throw await this.#explain(failure, encoder, batch);
    return total;
  }

  async read(
    view: OnlineView,
    keys: readonly (readonly unknown[])[],
    features: readonly string[],
  ): Promise<(OnlineRow | undefined)[]> {
    const [rows = []] = await this.readAll([{ view, keys, features }]);
    return rows;
  }

  async readAll(reads: readonly OnlineRead[]): Promise<(OnlineRow | undefined)[][]> {
    const codecs = reads.map((read) => rowCodec(read, this.#encoder(read.view)));
    const rows = reads.map((): (OnlineRow | undefined)[] => []);
    const places = reads.flatMap(({ keys }, r) => keys.map((values) => ({ r, values })));
    for (let from = 0; from < places.length; from += KEYS_PER_READ) {
      const part = places.slice(from, from + KEYS_PER_READ);
      const pipeline = this.#redis.pipeline();
      for (const { r, values } of part) {
        const codec = codecs[r];
        if (codec) pipeline.hmgetBuffer(codec.key(values), ...codec.fields);
      }
      const replies = (await this.#run(() => pipeline.exec())) ?? [];
      for (const [i, [error, reply]] of replies.entries()) {
        if (error) throw redisError(error, this.description, this.#connectionError);
        const { r = 0 } = part[i] ?? {};
        rows[r]?.push(codecs[r]?.row(reply as (Buffer | null)[]));
      }
    }
    return rows;
  }

  async readStored(reads: readonly OnlineRead[]): Promise<StoredRows[]> {
    try {
      return await this.#stored.read(reads, (wire, asked) => this.#reader.ask(wire, asked));
    } catch (error) {
      throw redisError(error, this.description);
    }
  }

  entities(view: OnlineView, features: readonly string[]): AsyncIterable<EntityRows> {
    const source: PageSource = {
      description: this.description,
      run: (command) => this.#run(() => command(this.#redis)),
      read: (reads) => this.readStored(reads),
    };
    return entityPages(source, view, features, this.#keyVersion);
  }

  async fence({ project, name }: OnlineView, promotion: number): Promise<void> {
    await this.#run(() => this.#redis.eval(RAISE_FENCE, 1, fencesKey(project), name, promotion));
  }

  async removeBelow(
    view: OnlineView,
    promotion: number,
    tombstone?: { readonly eventTime: bigint },
  ): Promise<number> {
    return this.#run(() => removeBelow(this.#redis, view, promotion, tombstone));
  }

  async collectTombstones(view: OnlineView, before: bigint): Promise<number> {
    return this.#run(() => collectTombstones(this.#redis, view, before));
  }

  async remove(view: OnlineView, isWanted: () => Promise<boolean>): Promise<number> {
    return this.#run(() => removeView(this.#redis, view, isWanted));
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    this.#reader.close();
    return Promise.resolve();
  }

  #encoder(view: OnlineView): BatchEncoder {
    const known = this.#encoders.get(view);
    if (known) return known;
    const encoder = new BatchEncoder(view, this.#keyVersion);
    this.#encoders.set(view, encoder);
    return encoder;
  }

  /** Sends one encoded call, and the script before it where the server does not know it (new, restarted, flushed). */
  async #call(encoder: BatchEncoder, wire: Buffer): Promise<readonly number[]> {
    const send = (): Promise<readonly number[]> =>
      this.#renewing(
        async () => (await this.#redis.sendCommand(new RawCommand('evalsha', wire))) as number[],
      );
    try {
      return await send();
    } catch (error) {
      if (replyWord(error) !== 'NOSCRIPT') throw error;
      await this.#redis.script('LOAD', encoder.script.text);
      return send();
    }
  }

  async #run<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await this.#renewing(command);
    } catch (error) {
      throw redisError(error, this.description, this.#connectionError);
    }
  }

  /** Tries once more with the credentials of this moment when the server refuses those it was given. */
  async #renewing<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      if (!isRefused(error) && !isRefused(this.#connectionError)) throw error;
      if (!this.#credentials.renew(this.#redis)) throw error;
      this.#redis.disconnect(true);
      return await command();
    }
  }

  /** The error of a failed write; one about a key of another type is told with that key. */
  async #explain(error: unknown, encoder: BatchEncoder, batch: OnlineBatch): Promise<unknown> {
    if (replyWord(error) !== 'WRONGTYPE') return redisError(error, this.description, this.#connectionError);
    const writer = new ByteWriter();
    for (let row = 0; row < batch.rows; row++) {
      writer.reset();
      encoder.keys.write(writer, batch.keys, row);
      writer.raw(encoder.project);
      const key = Buffer.from(writer.take());
      const type = await this.#run(() => this.#redis.type(key));
      if (type !== 'hash' && type !== 'none')
        return new GranaryError(
          'SchemaMismatch',
          `${this.description}: the key 0x${key.toString('hex')} of row ${row} holds a ${type}, not the hash of an entity. Delete it, or use another project.`,
        );
    }
    return redisError(error, this.description);
  }
}

/** The URL without user, password and query. */
function publicAddress(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw notRedisUrl();
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') throw notRedisUrl();
  const database = parsed.pathname.replace(/^\//, '') || '0';
  return `${parsed.protocol}//${parsed.hostname || 'localhost'}:${parsed.port || '6379'}/${database}`;
}

function notRedisUrl(): GranaryError {
  return new GranaryError(
    'ConfigurationMissing',
    'The URL of the online store is not one of Redis. Write redis://host:6379/0, or rediss:// for TLS.',
  );
}
