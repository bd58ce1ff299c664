import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { connectionLost, placeOf, sqlState, stateProblem } from '../definitions/postgres-errors.js';
import { quoteName } from '../definitions/sql.js';
import { Timestamp } from '../definitions/timestamp.js';
import { MIGRATIONS } from './migrations.js';
import { packageVersion } from './package-version.js';
import type { Tables } from './tables.js';

const TIMESTAMPTZ = 1184;
const INT8 = 20;
/** SQLSTATE of a row that names what is being removed; see migrations.ts. */
const REMOVED = 'GR001';

/** The registry's database in one schema. Its errors are Postgres' and the network's own until {@link registryError} turns them. */
export interface Database {
  readonly db: Kysely<Tables>;
  readonly schema: string;
  /** Creates what is missing, once a process; safe to run from many processes at once. */
  migrate(): Promise<void>;
  close(): Promise<void>;
}

/** Where a registry is. */
export interface RegistryAddress {
  readonly url: string | (() => string);
  readonly schema: string;
}

/** A pool's client that reads the URL when it is made. */
function rotatingClient(url: RegistryAddress['url']): typeof pg.Client {
  let known = typeof url === 'string' ? url : '';
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      try {
        if (typeof url !== 'string') known = url();
      } catch {
        // A secret that is being replaced may be absent for a moment: what was known may still do.
      }
      super({ ...(typeof config === 'object' ? config : {}), connectionString: known });
    }
  };
}

/** Opens a pool; connects at first use. A function is asked for the URL at each new connection, so that a rotated password is taken up. */
export function openDatabase(options: RegistryAddress): Database {
  const pool = new pg.Pool({
    Client: rotatingClient(options.url),
    max: 10,
    connectionTimeoutMillis: 10_000,
    // A host that vanishes answers nothing: without these an await would never end.
    keepAlive: true,
    query_timeout: 60_000,
    // A transaction whose process was stopped must not hold its locks for ever.
    options: '-c TimeZone=UTC -c idle_in_transaction_session_timeout=30000',
    types: {
      // Texts only: the registry asks for no binary results.
      getTypeParser: (oid: number): ((text: string) => unknown) => {
        if (oid === TIMESTAMPTZ) return (text) => Timestamp.from(text).toString();
        if (oid === INT8) return Number;
        return pg.types.getTypeParser(oid, 'text') as (text: string) => unknown;
      },
    },
  });
  // A connection that breaks, idle or between two statements of a transaction, fails its next use; without listeners the process would end.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  let migrated: Promise<void> | undefined;
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    db: db.withSchema(options.schema),
    schema: options.schema,
    migrate: () =>
      (migrated ??= migrate(db, options.schema).catch((error: unknown) => {
        migrated = undefined;
        throw error;
      })),
    close: () => db.destroy(),
  };
}

async function migrate(db: Kysely<Tables>, schema: string): Promise<void> {
  const quoted = quoteName(schema);
  await db.transaction().execute(async (tx) => {
    // CREATE ... IF NOT EXISTS races with itself: one migrator at a time.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`granary:${schema}`}, 0))`.execute(tx);
    await sql.raw(`CREATE SCHEMA IF NOT EXISTS ${quoted}`).execute(tx);
    await sql
      .raw(
        `CREATE TABLE IF NOT EXISTS ${quoted}.migrations (id integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
      )
      .execute(tx);
    const { rows } = await sql.raw<{ id: number }>(`SELECT id FROM ${quoted}.migrations`).execute(tx);
    const applied = new Set(rows.map((row) => row.id));
    const missing = MIGRATIONS.filter(({ id }) => !applied.has(id));
    for (const { id, sql: text } of missing) {
      await sql.raw(text.replaceAll('{schema}', quoted)).execute(tx);
      await sql.raw(`INSERT INTO ${quoted}.migrations (id) VALUES (${id})`).execute(tx);
    }
    if (missing.length > 0)
      await sql`UPDATE ${sql.raw(quoted)}.migrations SET version = ${packageVersion} WHERE id = ANY(${missing.map(({ id }) => id)})`.execute(
        tx,
      );
  });
}

/** Turns Postgres' and the network's errors into GranaryErrors; others pass as they are. */
export function registryError(error: unknown): unknown {
  if (error instanceof GranaryError) return error;
  const lost = connectionLost(error);
  const state = sqlState(error);
  if (state === REMOVED)
    return new GranaryError(
      'BeingRemoved',
      `${messageOf(error)} is being deleted, and nothing may begin to use it. Wait until "granary get ${messageOf(error)}" no longer finds it; if its deletion was cut off, repeat it: granary delete ${messageOf(error)}.`,
      { cause: error },
    );
  const problem = state === undefined ? undefined : stateProblem(state);
  if (lost !== undefined)
    return new GranaryError(
      'ProviderUnreachable',
      `The registry's Postgres${placeOf(error)} does not answer (${lost}). Check that it runs, and the registry.url of the environment (GRANARY_REGISTRY_URL where it has none).`,
      { cause: error },
    );
  if (!problem) return error;
  return new GranaryError(
    problem.code,
    problem.code === 'ConfigurationMissing'
      ? `The registry's Postgres refuses the connection: ${messageOf(error)}. Check user, password and database in the registry.url of the environment (GRANARY_REGISTRY_URL where it has none).`
      : `The registry's Postgres: ${problem.meaning} (${state ?? ''}: ${messageOf(error)}).`,
    { cause: error },
  );
}
