import pg from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion, OnlineLayout } from '../../../definitions/provider.js';
import { sqlState } from '../../../definitions/postgres-errors.js';
import { EntityKeySerializer } from '../../../feast/entity-key.js';
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
import { byteaArray } from './binary-array.js';
import { greatestReceipt, leaveReceipt, renewState, storeState } from './contents.js';
import { entityPages } from './entity-pages.js';
import { raiseFence } from './fences.js';
import { checkPrivileges } from './health.js';
import { fitsPostgres } from './names.js';
import { newestRows } from './newest-rows.js';
import { postgresError } from './postgres-errors.js';
import { readRows, readStoredRows, type KeyArray } from './read-rows.js';
import { collectTombstones, removeBelow } from './remove-rows.js';
import { rotatingClient } from './rotating-client.js';
import { dropViewTables, ensureViewTables } from './tables.js';
import { encodeBatch, writeRows } from './write-rows.js';

/** Feature rows, and entities, of one statement: the size of the arrays, not the round trip, is what counts beyond it. */
const FEATURES_PER_STATEMENT = 50_000;
const ENTITIES_PER_STATEMENT = 5000;
const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 5000;
/** Beyond the server's own limit: the server may be gone and never cancel. */
const QUERY_TIMEOUT_MS = 65_000;
/** Of reads for the feature server, which do not queue behind loads; the largest request that it takes may need seconds. */
const READ_CONNECT_TIMEOUT_MS = 2000;
const READ_TIMEOUT_MS = 6000;

/**
 * An online store in Postgres 14 or newer, in Feast's layout: a table a view in `schema` (Feast's `db_schema`), named `<project>_<view>`,
 * with a row a feature: the serialized entity key (without the project), the name, the bytes of Feast's Value (none for NULL), its
 * text, the event and the created time. Beside it lies a table of Granary's own with the order of each entity's row.
 * @throws GranaryError `ConfigurationMissing` when the URL is not one of Postgres.
 */
export function postgresOnlineProvider(
  options: {
    /** A function is asked again for each new connection: so a rotated password is taken up. */
    readonly url: string | (() => string);
    readonly schema: string;
  } & OnlineLayout,
): OnlineProvider {
  const { url, schema, entityKeySerialization = 3 } = options;
  return new PostgresOnlineProvider(
    typeof url === 'string' ? () => url : url,
    schema,
    entityKeySerialization,
  );
}

class PostgresOnlineProvider implements OnlineProvider {
  readonly description: string;
  readonly #pool: pg.Pool;
  readonly #readPool: pg.Pool;
  readonly #schema: string;
  readonly #keyVersion: EntityKeyVersion;

  constructor(url: () => string, schema: string, keyVersion: EntityKeyVersion) {
    this.#keyVersion = keyVersion;
    this.description = `postgres at ${publicAddress(url())}`;
    this.#schema = schema;
    this.#pool = poolOf(url, CONNECT_TIMEOUT_MS, QUERY_TIMEOUT_MS);
    this.#readPool = poolOf(url, READ_CONNECT_TIMEOUT_MS, READ_TIMEOUT_MS);
  }

  async check(): Promise<void> {
    await this.#run((client) => checkPrivileges(client, this.#schema, this.description));
  }

  /** A committed row is durable here: only another id, or a receipt that is gone (a restored backup), tells of a loss. */
  async state(project: string): Promise<StoreState> {
    return this.#run((client) =>
      storeState(client, this.#schema, { project, keys: this.#keyVersion }, this.description),
    );
  }

  async renew(project: string, lost: string): Promise<void> {
    await this.#run((client) => renewState(client, this.#schema, { project, keys: this.#keyVersion }, lost));
  }

  async receipt(project: string, view: string): Promise<number> {
    return this.#run((client) => greatestReceipt(client, this.#schema, project, view));
  }

  async acknowledge(project: string, view: string, { id }: StoreState, receipt: number): Promise<boolean> {
    return this.#run((client) =>
      leaveReceipt(client, this.#schema, { project, keys: this.#keyVersion, view, receipt, id }),
    );
  }

  async prepare(view: OnlineView): Promise<void> {
    await this.#run((client) => ensureViewTables(client, this.#schema, view));
  }

  async write(view: OnlineView, promotion: number, batch: OnlineBatch): Promise<WriteCounts> {
    refuseNullKeys(view, batch);
    const newest = newestRows(new EntityKeySerializer(view.joinKeys, this.#keyVersion), batch);
    const total = { written: 0, older: newest.older, unchanged: newest.unchanged };
    const size = Math.min(
      ENTITIES_PER_STATEMENT,
      Math.ceil(FEATURES_PER_STATEMENT / Math.max(view.features.length, 1)),
    );
    for (let from = 0; from < newest.rows.length; from += size) {
      const encoded = encodeBatch(view, batch, {
        ...newest,
        keys: newest.keys.slice(from, from + size),
        rows: newest.rows.slice(from, from + size),
      });
      const counts = await this.#run((client) => writeRows(client, this.#schema, view, promotion, encoded));
      total.written += counts.written;
      total.unchanged += counts.unchanged;
      total.older += counts.older;
    }
    return total;
  }

  async read(
    view: OnlineView,
    keys: readonly (readonly unknown[])[],
    features: readonly string[],
  ): Promise<(OnlineRow | undefined)[]> {
    const array = this.#keyArray(view, keys);
    return this.#run((client) => readRows(client, this.#schema, view, array, features));
  }

  #keyArray(view: OnlineView, keys: OnlineRead['keys']): KeyArray {
    const serializer = new EntityKeySerializer(view.joinKeys, this.#keyVersion);
    return { array: byteaArray(keys.map((values) => serializer.serialize(values))), count: keys.length };
  }

  async readAll(reads: readonly OnlineRead[]): Promise<(OnlineRow | undefined)[][]> {
    return await Promise.all(reads.map(({ view, keys, features }) => this.read(view, keys, features)));
  }

  async readStored(reads: readonly OnlineRead[]): Promise<StoredRows[]> {
    return await Promise.all(
      reads.map(({ view, keys, features }) => {
        const array = this.#keyArray(view, keys);
        return this.#run(
          (client) => readStoredRows(client, this.#schema, view, array, features),
          this.#readPool,
        );
      }),
    );
  }

  entities(view: OnlineView, features: readonly string[]): AsyncIterable<EntityRows> {
    return entityPages((use) => this.#run(use), this.#schema, view, features, this.#keyVersion);
  }

  async fence(view: OnlineView, promotion: number): Promise<void> {
    await this.#run((client) => raiseFence(client, this.#schema, view, promotion));
  }

  async removeBelow(
    view: OnlineView,
    promotion: number,
    tombstone?: { readonly eventTime: bigint },
  ): Promise<number> {
    return this.#run((client) => removeBelow(client, this.#schema, view, promotion, tombstone));
  }

  async collectTombstones(view: OnlineView, before: bigint): Promise<number> {
    return this.#run((client) => collectTombstones(client, this.#schema, view, before));
  }

  async remove(view: OnlineView, isWanted: () => Promise<boolean>): Promise<undefined> {
    // A view whose name is too long for a table was never prepared.
    if (fitsPostgres(view)) await this.#run((client) => dropViewTables(client, this.#schema, view, isWanted));
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#readPool.end()]);
  }

  async #run<T>(use: (client: pg.PoolClient) => Promise<T>, pool = this.#pool): Promise<T> {
    let client: pg.PoolClient | undefined;
    try {
      client = await pool.connect();
      const result = await use(client);
      client.release();
      return result;
    } catch (error) {
      // Only after an error that Postgres itself sent is the connection known to be good.
      client?.release(sqlState(error) === undefined && !(error instanceof GranaryError));
      throw postgresError(error, this.description);
    }
  }
}

/** Connections that are made as they are needed. */
function poolOf(url: () => string, connectTimeout: number, queryTimeout: number): pg.Pool {
  const pool = new pg.Pool({
    Client: rotatingClient(url),
    max: CONNECTIONS,
    connectionTimeoutMillis: connectTimeout,
    query_timeout: queryTimeout,
    keepAlive: true,
  });
  // A connection that breaks, idle or between two statements, fails its next use; without listeners it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** The URL without user, password and query. */
function publicAddress(url: string): string {
  let parsed: URL | undefined;
  try {
    parsed = new URL(url);
  } catch {
    // Said below, without repeating what may hold a password.
  }
  if (parsed?.protocol !== 'postgres:' && parsed?.protocol !== 'postgresql:')
    throw new GranaryError(
      'ConfigurationMissing',
      'The URL of the online store is not one of Postgres. Write postgresql://user@host:5432/database.',
    );
  const host = parsed.hostname || parsed.searchParams.get('host') || 'localhost';
  return `${parsed.protocol}//${host}:${parsed.port || '5432'}${parsed.pathname}`;
}
