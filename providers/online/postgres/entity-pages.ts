import type pg from 'pg';
import type { EntityKeyVersion } from '../../../definitions/provider.js';
import { storedKeyReader } from '../../../feast/stored-key.js';
import type { EntityRows, OnlineView } from '../provider.js';
import { presentRows } from '../stored-rows.js';
import { byteaArray } from './binary-array.js';
import { isTableGone } from './postgres-errors.js';
import { readStoredRows } from './read-rows.js';
import { statements } from './statements.js';

/** Entities of one page. */
const ENTITIES = 1000;

/**
 * All entities of a view in pages by key, each a statement of its own, so that no transaction stays open for a slow reader; see
 * OnlineProvider.entities. A view that was never prepared has none; one whose table goes meanwhile fails.
 */
export async function* entityPages(
  run: <T>(use: (client: pg.PoolClient) => Promise<T>) => Promise<T>,
  schema: string,
  view: OnlineView,
  features: readonly string[],
  version: EntityKeyVersion,
): AsyncGenerator<EntityRows> {
  const keyOf = storedKeyReader(view.joinKeys, new Uint8Array(), version);
  const text = statements(schema, view).keys;
  for (let last: Buffer | null = null; ;) {
    const after: Buffer | null = last;
    const stored: readonly Buffer[] = await run((client) => keysAfter(client, text, after));
    last = stored.at(-1) ?? null;
    // Not where a page is short: the table may have gone before its rows were read.
    if (last === null) return;
    const found = stored.flatMap((key) => {
      const values = keyOf(key);
      return values ? [{ key, values }] : [];
    });
    const array = byteaArray(found.map(({ key }) => key));
    const rows = await run((client) =>
      readStoredRows(client, schema, view, { array, count: found.length }, features),
    );
    const page = presentRows(
      found.map(({ values }) => values),
      rows,
    );
    if (page.keys.length > 0) yield page;
  }
}

async function keysAfter(
  client: pg.PoolClient,
  text: string,
  after: Buffer | null,
): Promise<readonly Buffer[]> {
  try {
    const { rows } = await client.query<{ readonly entity_key: Buffer }>(text, [after, ENTITIES]);
    return rows.map((row) => row.entity_key);
  } catch (error) {
    if (after === null && isTableGone(error)) return [];
    throw error;
  }
}
