import type { ClientBase } from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import { sqlState } from '../../../definitions/postgres-errors.js';
import { valueEncoder } from '../../../feast/value.js';
import { hasText, valueText } from '../../../feast/value-text.js';
import type { OnlineBatch, OnlineView, WriteCounts } from '../provider.js';
import { binaryArray, byteaArray, int8Array, textArray, timestampArray } from './binary-array.js';
import { lockForWriting } from './fences.js';
import type { NewestRows } from './newest-rows.js';
import { statements } from './statements.js';
import { inTransaction } from './tables.js';

/** Each attempt that fails does so because another writer's transaction ended: somebody gets on. */
const ATTEMPTS = 50;

/** Rows for one statement, as its parameters. */
export interface EncodedRows {
  readonly keys: Buffer;
  /** Event times, created times, generations, then the features' values and texts. */
  readonly columns: readonly Buffer[];
  readonly rows: number;
}

/** Encodes some rows of a batch. @throws GranaryError `ValueOutOfRange` by the name of the feature. */
export function encodeBatch(view: OnlineView, batch: OnlineBatch, { keys, rows }: NewestRows): EncodedRows {
  const columns = [
    timestampArray(rows.map((row) => batch.eventTimes[row] ?? 0n)),
    timestampArray(rows.map((row) => batch.createdTimes[row] ?? null)),
    int8Array(rows.map((row) => batch.generations[row] ?? 0)),
  ];
  view.features.forEach(({ name, type }, i) => {
    const encode = valueEncoder(type, `The feature ${view.name}:${name}`);
    const values = batch.values[i] ?? [];
    columns.push(binaryArray('bytea', rows, (writer, row) => encode(writer, values[row])));
    if (hasText(type)) columns.push(textArray(rows.map((row) => valueText(type, values[row]))));
  });
  return { keys: byteaArray(keys), columns, rows: rows.length };
}

/**
 * Writes rows where they are newer, each entity's features in one transaction. It is done anew where another writer came between: the rows
 * are judged by one snapshot, and only what it saw may be overwritten. Feast's writers lock rows in an order of their own, so
 * that one of the two may be in the other's way: Postgres then ends one of them.
 */
export async function writeRows(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  promotion: number,
  encoded: EncodedRows,
): Promise<WriteCounts> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await inTransaction(client, () => attemptWrite(client, schema, view, promotion, encoded));
    } catch (error) {
      // 40001 and 40P01: given up for the sake of others. 23505: others made a row that was not there.
      if (error !== overtaken && !/^(40|23505)/.test(sqlState(error) ?? '')) throw error;
    }
  }
  throw new GranaryError(
    'ProviderUnreachable',
    `Other writers of the view ${view.name} were in the way ${ATTEMPTS} times. Try again when fewer write at once.`,
  );
}

/** Rolls a transaction back that another writer came between. */
const overtaken = new Error('Another writer came between.');

async function attemptWrite(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  promotion: number,
  { keys, columns, rows }: EncodedRows,
): Promise<WriteCounts> {
  const { lock, write } = statements(schema, view);
  await lockForWriting(client, schema, view);
  const locked = await client.query<{ locked: number; numbers: boolean }>(lock, [keys]);
  const numbers = locked.rows[0]?.numbers ?? false;
  const { rows: found } = await client.query<
    Record<'known' | 'newer' | 'unchanged' | 'written' | 'later', number>
  >(write(numbers), [promotion, keys, ...columns]);
  const [counts] = found;
  if (
    !counts ||
    counts.known !== locked.rows[0]?.locked ||
    counts.written !== counts.newer ||
    counts.later > 0
  )
    throw overtaken;
  const { written, unchanged } = counts;
  return { written, unchanged, older: rows - written - unchanged };
}
