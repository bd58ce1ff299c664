/**
 * Writes the events of January 2026, each environment's own: `npx tsx examples/user-features/make-events.ts`. Made by a formula, so that
 * everybody's are the same.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';

/** Writes `events.parquet` into a folder: every user (1001 and on) has some sessions a day, other ones for every `seed`. */
export async function makeEvents(folder: string, seed: number, users = 200): Promise<void> {
  await mkdir(folder, { recursive: true });
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`
      COPY (
        SELECT CAST(1001 + u AS BIGINT) AS user_id,
               TIMESTAMP '2026-01-01' + to_days(CAST(d AS INTEGER))
                 + to_seconds((u * 977 + s * 7919 + d * 131 + ${seed} * 37) % 86400) AS event_time,
               CAST((u * 31 + d * 17 + s * 101 + ${seed}) % 3000 AS DOUBLE) / 7 AS session_sec,
               (u + d + s + ${seed}) % 11 = 0 AS bought
        FROM range(${users}) users(u), range(31) days(d), range(4) sessions(s)
        WHERE (u * 7 + d * 3 + s + ${seed}) % 5 < 3
        ORDER BY event_time, user_id
      ) TO '${join(folder, 'events.parquet').replaceAll("'", "''")}' (FORMAT parquet)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1] ?? '')).href)
  for (const [seed, environment] of ['dev', 'prod'].entries()) {
    const folder = join('.granary', 'user-events', environment);
    await makeEvents(folder, seed);
    console.log(join(folder, 'events.parquet'));
  }
