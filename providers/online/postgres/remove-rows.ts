import type { ClientBase, QueryResult } from 'pg';
import type { OnlineView } from '../provider.js';
import { timestampArray } from './binary-array.js';
import { requireFence } from './fences.js';
import { isTableGone } from './postgres-errors.js';
import { statements } from './statements.js';

/** Entities of one statement. */
const ENTITIES = 5000;

/** An instant in microseconds since 1970 as a parameter that keeps them: `($1::timestamptz[])[1]` of a binary array. */
const instant = (micros: bigint | undefined): Buffer | null =>
  micros === undefined ? null : timestampArray([micros]);

interface RemovedBatch {
  readonly seen: number;
  /** Those seen that were no tombstones before. */
  readonly removed: number;
  /** The greatest key seen. */
  readonly last: Buffer | null;
}

/** See OnlineProvider.removeBelow. */
export async function removeBelow(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  promotion: number,
  tombstone: { readonly eventTime: bigint } | undefined,
): Promise<number> {
  const { removeBelow: remove } = statements(schema, view);
  await requireFence(client, schema, view, promotion);
  let removed = 0;
  let last: Buffer | null = null;
  for (;;) {
    const batch: QueryResult<RemovedBatch> = await client.query<RemovedBatch>(remove, [
      promotion,
      ENTITIES,
      last,
      instant(tombstone?.eventTime),
    ]);
    const [counts] = batch.rows;
    removed += counts?.removed ?? 0;
    last = counts?.last ?? null;
    if ((counts?.seen ?? 0) < ENTITIES) return removed;
  }
}

/** See OnlineProvider.collectTombstones. A view that was never prepared has none. */
export async function collectTombstones(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  before: bigint,
): Promise<number> {
  try {
    const { rowCount } = await client.query(statements(schema, view).collect, [instant(before)]);
    return rowCount ?? 0;
  } catch (error) {
    if (isTableGone(error)) return 0;
    throw error;
  }
}
