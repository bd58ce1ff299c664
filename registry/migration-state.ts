import { sql } from 'kysely';
import { quoteName } from '../definitions/sql.js';
import { openDatabase, type RegistryAddress } from './database.js';
import { MIGRATIONS } from './migrations.js';

/** How a registry's tables stand beside what this release knows. */
export interface MigrationState {
  /** Migrations that were applied; none: there is no registry yet. */
  readonly applied: readonly number[];
  /** Those of this release that were not. */
  readonly missing: readonly number[];
  /** Those that this release does not know: a newer one applied them. */
  readonly unknown: readonly number[];
  /** The version of this package that applied the newest; undefined: one that did not note itself, or there is no registry. */
  readonly version: string | undefined;
  /** The server's time, and half of how long the question took: milliseconds since 1970. */
  readonly clock: { readonly at: number; readonly askedAt: number; readonly within: number };
}

/** Asks a registry how its tables stand, and changes nothing. Fails with Postgres' and the network's own errors. */
export async function migrationState(address: RegistryAddress): Promise<MigrationState> {
  const database = openDatabase(address);
  const { db } = database;
  try {
    // Once the connection is there: what is timed is the question.
    const table = `${quoteName(address.schema)}.migrations`;
    const { rows: found } = await sql<{
      id: string | null;
    }>`SELECT to_regclass(${table})::text AS id`.execute(db);
    const asked = Date.now();
    const { rows: clock } = await sql<{ ms: number }>`
      SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`.execute(db);
    const answered = Date.now();
    const { rows } =
      (found[0]?.id ?? null) === null
        ? { rows: [] }
        : // The column came later than the table.
          await sql
            .raw<{
              id: number;
              version: string | null;
            }>(`SELECT id, to_jsonb(m)->>'version' AS version FROM ${table} m ORDER BY id`)
            .execute(db);
    const applied = rows.map(({ id }) => id);
    const known = MIGRATIONS.map(({ id }) => id);
    return {
      applied,
      missing: known.filter((id) => !applied.includes(id)),
      unknown: applied.filter((id) => !known.includes(id)),
      version: rows.at(-1)?.version ?? undefined,
      clock: {
        at: Number(clock[0]?.ms),
        askedAt: (asked + answered) / 2,
        within: (answered - asked) / 2,
      },
    };
  } finally {
    await database.close();
  }
}
