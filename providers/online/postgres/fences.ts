import type { ClientBase } from 'pg';
import { fenceGone } from '../fence-gone.js';
import type { OnlineView } from '../provider.js';
import { ensureStoreTables, inTransaction } from './tables.js';

/** Takes part in writing a view until the end of the transaction: a fence is raised before or after, never meanwhile. */
export async function lockForWriting(client: ClientBase, schema: string, view: OnlineView): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))', [
    fenceLock(schema, view),
  ]);
}

/** Raises a view's fence once no write is under way. */
export async function raiseFence(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  promotion: number,
): Promise<void> {
  const { fences } = await ensureStoreTables(client, schema);
  await inTransaction(client, async () => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [fenceLock(schema, view)]);
    await client.query(
      `INSERT INTO ${fences} AS f VALUES ($1, $2, $3)
       ON CONFLICT (project, view) DO UPDATE SET promotion = greatest(f.promotion, excluded.promotion)`,
      [view.project, view.name, promotion],
    );
  });
}

/** @throws GranaryError `StoreReplaced` when the fence does not stand: the schema was emptied or replaced. */
export async function requireFence(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  promotion: number,
): Promise<void> {
  const { fences } = await ensureStoreTables(client, schema);
  const { rowCount } = await client.query(
    `SELECT FROM ${fences} WHERE project = $1 AND view = $2 AND promotion >= $3`,
    [view.project, view.name, promotion],
  );
  if (rowCount === 0) throw fenceGone(view, promotion);
}

const fenceLock = (schema: string, { project, name }: OnlineView): string =>
  `granary fence ${schema} ${project} ${name}`;
