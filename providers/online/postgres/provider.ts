import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion, OnlineLayout } from '../../../definitions/provider.js';
import { sqlState } from '../../../definitions/postgres-errors.js';
import { ByteWriter } from '../../../feast/byte-writer.js';
import { EntityKeySerializer } from '../../../feast/entity-key.js';
import { valueEncoder } from '../../../feast/value.js';
import { decodeValue } from '../../../feast/value-decoder.js';
import { refuseNullKeys } from '../null-keys.js';
import type {
  OnlineBatch,
  OnlineProvider,
  OnlineRow,
  OnlineView,
  StoreState,
  WriteCounts,
} from '../provider.js';
import { byteaArray, int8Array, timestampArray } from './binary-array.js';
import { lockForWriting, raiseFence, requireFence } from './fences.js';
import { columnName } from './names.js';
import { type NewestRows, newestRows } from './newest-rows.js';
import { checkPrivileges } from './health.js';
import { postgresError } from './postgres-errors.js';
import { rotatingClient } from './rotating-client.js';
import { statements } from './statements.js';
import { columnsOf, dropViewTable, ensureStoreTables, ensureViewTable, inTransaction } from './tables.js';

/** Rows of one statement: the size of the arrays, not the round trip, is what counts beyond it. */
const ROWS_PER_STATEMENT = 5000;
const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 5000;
/** Beyond the server's own limit: the server may be gone and never cancel. */
const QUERY_TIMEOUT_MS = 65_000;

/**
 * An online store in Postgres 14 or newer: a table a view in `schema`, named `<project>__<view>`, with the serialized
 * entity key (Feast's version 3, without the project), the times, and one `bytea` a feature with the bytes of Feast's
 * Value; NULL is NULL. A column that a view got later is NULL in the rows that were there.
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

/** A row of the statement that reads; the features are `v0`, `v1`, ... */
interface StoredRow {
  readonly position: number;
  /** Microseconds, as text. */
  readonly event_timestamp: string;
  readonly created_timestamp: string | null;
  readonly promotion: string;
  readonly generation: string;
  readonly [feature: `v${number}`]: Buffer | null;
}

class PostgresOnlineProvider implements OnlineProvider {
  readonly description: string;
  readonly #pool: pg.Pool;
  readonly #schema: string;
  readonly #keyVersion: EntityKeyVersion;

  constructor(url: () => string, schema: string, keyVersion: EntityKeyVersion) {
    this.#keyVersion = keyVersion;
    this.description = `postgres at ${publicAddress(url())}`;
    this.#schema = schema;
    this.#pool = new pg.Pool({
      Client: rotatingClient(url),
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    // A connection that breaks, idle or between two statements, fails its next use; without listeners it would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async check(): Promise<void> {
    await this.#run((client) => checkPrivileges(client, this.#schema, this.description));
  }

  /** A committed row is durable here: only another id, or a receipt that is gone (a restored backup), tells of a loss. */
  async state(project: string): Promise<StoreState> {
    return this.#run(async (client) => {
      const { stores } = await ensureStoreTables(client, this.#schema);
      await client.query(`INSERT INTO ${stores} VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
        project,
        randomUUID(),
      ]);
      const { rows } = await client.query<{ store_id: string }>(
        `SELECT store_id FROM ${stores} WHERE project = $1`,
        [project],
      );
      if (!rows[0]) throw new GranaryError('StoreReplaced', `${this.description} was emptied a moment ago.`);
      return { id: rows[0].store_id, server: '' };
    });
  }

  async renew(project: string, lost: string): Promise<void> {
    await this.#run(async (client) => {
      const { stores } = await ensureStoreTables(client, this.#schema);
      await client.query(`UPDATE ${stores} SET store_id = $3 WHERE project = $1 AND store_id = $2`, [
        project,
        lost,
        randomUUID(),
      ]);
    });
  }

  async receipt(project: string, view: string): Promise<number> {
    return this.#run(async (client) => {
      const { receipts } = await ensureStoreTables(client, this.#schema);
      const { rows } = await client.query<{ receipt: string }>(
        `SELECT receipt::text FROM ${receipts} WHERE project = $1 AND view = $2`,
        [project, view],
      );
      return Number(rows[0]?.receipt ?? 0);
    });
  }

  async acknowledge(project: string, view: string, state: StoreState, receipt: number): Promise<boolean> {
    return this.#run(async (client) => {
      const { stores, receipts } = await ensureStoreTables(client, this.#schema);
      const { rowCount } = await client.query(
        `INSERT INTO ${receipts} AS r SELECT $1, $2, $3 FROM ${stores} WHERE project = $1 AND store_id = $4
         ON CONFLICT (project, view) DO UPDATE SET receipt = greatest(r.receipt, excluded.receipt)`,
        [project, view, receipt, state.id],
      );
      return rowCount === 1;
    });
  }

  async prepare(view: OnlineView): Promise<void> {
    await this.#run(async (client) => {
      await ensureStoreTables(client, this.#schema);
      await ensureViewTable(client, this.#schema, view);
    });
  }

  async write(view: OnlineView, promotion: number, batch: OnlineBatch): Promise<WriteCounts> {
    refuseNullKeys(view, batch);
    const newest = newestRows(new EntityKeySerializer(view.joinKeys, this.#keyVersion), batch);
    const total = { written: 0, older: newest.older, unchanged: newest.unchanged };
    for (let from = 0; from < newest.rows.length; from += ROWS_PER_STATEMENT) {
      const part = {
        ...newest,
        keys: newest.keys.slice(from, from + ROWS_PER_STATEMENT),
        rows: newest.rows.slice(from, from + ROWS_PER_STATEMENT),
      };
      const { written, unchanged } = await this.#upsert(view, promotion, batch, part);
      total.written += written;
      total.unchanged += unchanged;
      total.older += part.rows.length - written - unchanged;
    }
    return total;
  }

  async read(
    view: OnlineView,
    keys: readonly (readonly unknown[])[],
    features: readonly string[],
  ): Promise<(OnlineRow | undefined)[]> {
    const serializer = new EntityKeySerializer(view.joinKeys, this.#keyVersion);
    const serialized = byteaArray(keys.map((values) => serializer.serialize(values)));
    const types = new Map(view.features.map(({ name, type }) => [name, type]));
    return this.#run(async (client) => {
      const { table, read } = statements(this.#schema, view);
      const stored = await columnsOf(client, table);
      const rows = Array.from<OnlineRow | undefined>({ length: keys.length });
      if (stored.size === 0) return rows;
      const known = features.filter((feature) => types.has(feature) && stored.has(columnName(feature)));
      const result = await client.query<StoredRow>(read(known.map(columnName)), [serialized]);
      for (const row of result.rows) {
        const eventTime = BigInt(row.event_timestamp);
        rows[Number(row.position) - 1] = {
          values: features.map((feature) => {
            const i = known.indexOf(feature);
            if (i < 0) return undefined;
            const bytes = row[`v${i}`];
            const what = `The feature ${view.name}:${feature}`;
            return bytes instanceof Uint8Array
              ? decodeValue(types.get(feature) ?? 'bytes', bytes, what)
              : null;
          }),
          eventTime,
          order: {
            promotion: Number(row.promotion),
            eventTime,
            createdTime: BigInt(row.created_timestamp ?? 0),
            generation: Number(row.generation),
          },
        };
      }
      return rows;
    });
  }

  async fence(view: OnlineView, promotion: number): Promise<void> {
    await this.#run((client) => raiseFence(client, this.#schema, view, promotion));
  }

  async removeBelow(view: OnlineView, promotion: number): Promise<number> {
    const { deleteBelow } = statements(this.#schema, view);
    return this.#run(async (client) => {
      let removed = 0;
      await requireFence(client, this.#schema, view, promotion);
      for (;;) {
        const { rowCount } = await client.query(deleteBelow, [promotion, ROWS_PER_STATEMENT]);
        removed += rowCount ?? 0;
        if (!rowCount) return removed;
      }
    });
  }

  /** No removal leaves any here. */
  collectTombstones(): Promise<number> {
    return Promise.resolve(0);
  }

  async remove(view: OnlineView, isWanted: () => Promise<boolean>): Promise<undefined> {
    await this.#run((client) => dropViewTable(client, this.#schema, view, isWanted));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #upsert(
    view: OnlineView,
    promotion: number,
    batch: OnlineBatch,
    { keys, rows }: NewestRows,
  ): Promise<{ written: number; unchanged: number }> {
    const { upsert, countEqual } = statements(this.#schema, view);
    const order = [
      promotion,
      byteaArray(keys),
      timestampArray(rows.map((row) => batch.eventTimes[row] ?? 0n)),
      timestampArray(rows.map((row) => batch.createdTimes[row] ?? null)),
      int8Array(rows.map((row) => batch.generations[row] ?? 0)),
    ];
    const values = view.features.map(({ name, type }, i) => {
      const encode = valueEncoder(type, `The feature ${view.name}:${name}`);
      const writer = new ByteWriter();
      return byteaArray(
        rows.map((row) => {
          writer.reset();
          encode(writer, batch.values[i]?.[row]);
          return writer.length === 0 ? null : writer.take();
        }),
      );
    });
    return this.#run((client) =>
      inTransaction(client, async () => {
        await lockForWriting(client, this.#schema, view);
        const { rowCount } = await client.query(upsert, [...order, ...values]);
        const written = rowCount ?? 0;
        if (written === rows.length) return { written, unchanged: 0 };
        // The rows that lost are locked by the upsert: nobody changes them before they are counted. Those that were
        // written equal their input too.
        const { rows: counted } = await client.query<{ equal: number }>(countEqual, order);
        return { written, unchanged: (counted[0]?.equal ?? 0) - written };
      }),
    );
  }

  async #run<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
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
