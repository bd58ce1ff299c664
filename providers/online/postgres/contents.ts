import { randomUUID } from 'node:crypto';
import type { ClientBase } from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion } from '../../../definitions/provider.js';
import type { StoreState } from '../provider.js';
import { ensureStoreTables } from './tables.js';

/** A project's contents under entity keys of one version. */
interface Contents {
  readonly project: string;
  readonly keys: EntityKeyVersion;
}

/**
 * What contents are called in the table of ids. Rows under keys of one version are none to readers of the other: they have an id of their own, and
 * whoever changes the version loads every view anew.
 */
const nameOf = ({ project, keys }: Contents): string => (keys === 3 ? project : `${project}:keys_${keys}`);

/** Whose rows a schema holds; see OnlineProvider.state. `server` is how errors call it. */
export async function storeState(
  client: ClientBase,
  schema: string,
  of: Contents,
  server: string,
): Promise<StoreState> {
  const { stores } = await ensureStoreTables(client, schema);
  await client.query(`INSERT INTO ${stores} VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
    nameOf(of),
    randomUUID(),
  ]);
  const { rows } = await client.query<{ store_id: string }>(
    `SELECT store_id FROM ${stores} WHERE project = $1`,
    [nameOf(of)],
  );
  if (!rows[0]) throw new GranaryError('StoreReplaced', `${server} was emptied a moment ago.`);
  return { id: rows[0].store_id, server: '' };
}

export async function renewState(
  client: ClientBase,
  schema: string,
  of: Contents,
  lost: string,
): Promise<void> {
  const { stores } = await ensureStoreTables(client, schema);
  await client.query(`UPDATE ${stores} SET store_id = $3 WHERE project = $1 AND store_id = $2`, [
    nameOf(of),
    lost,
    randomUUID(),
  ]);
}

export async function greatestReceipt(
  client: ClientBase,
  schema: string,
  project: string,
  view: string,
): Promise<number> {
  const { receipts } = await ensureStoreTables(client, schema);
  const { rows } = await client.query<{ receipt: string }>(
    `SELECT receipt::text FROM ${receipts} WHERE project = $1 AND view = $2`,
    [project, view],
  );
  return Number(rows[0]?.receipt ?? 0);
}

/** Leaves a receipt if the store still has the id; see OnlineProvider.acknowledge. */
export async function leaveReceipt(
  client: ClientBase,
  schema: string,
  { view, receipt, id, ...of }: Contents & { view: string; receipt: number; id: string },
): Promise<boolean> {
  const { stores, receipts } = await ensureStoreTables(client, schema);
  const { rowCount } = await client.query(
    `INSERT INTO ${receipts} AS r SELECT $1, $2, $3 FROM ${stores} WHERE project = $5 AND store_id = $4
     ON CONFLICT (project, view) DO UPDATE SET receipt = greatest(r.receipt, excluded.receipt)`,
    [of.project, view, receipt, id, nameOf(of)],
  );
  return rowCount === 1;
}
