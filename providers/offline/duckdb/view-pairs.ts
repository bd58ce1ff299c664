import type { JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { lagOf, ttlOf } from '../join-shape.js';
import { keepFirst, withKeys } from './view-asof.js';
import type { JoinCondition, Labels } from './view-match.js';
import { rowOrder, type Source } from './view-source.js';

/** Labels of one key tuple at most: so many times is a row of the view looked at. */
export const MOST_LABELS_PER_KEY = 16;

/** Up to 2^22 labels are addressed by their number: DuckDB's limit is 32 bits, its default 12. */
const MOST_BITS = 22;
/** What a thread's table of label numbers takes: a label's key number and its greatest event time, each with its flag. */
const BYTES_PER_LABEL = 32;

/**
 * Matches by hashing: each row of the view is looked up among the labels of its key, and each label keeps the greatest event time that it may
 * see. Half the work of sorting where a key has few labels, and without end where it has many.
 */
export async function matchByPairs(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
  source: Source,
): Promise<JoinCondition> {
  const { table, id, keys, numbered, time = '' } = labels;
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  const pairs = numbered
    ? `JOIN ${table} s ON ${source.equal('s', [id])}`
    : `JOIN ${keys} k ON ${source.equal('k')} JOIN ${table} s ON k.id = s.${id}`;
  const newest = `SELECT s.label, first(s.${id}) AS id${ttl === undefined ? '' : `, first(s.${time}) AS t`}, max(${source.event}) AS event FROM ${source.from} ${pairs} WHERE ${source.event} + ${lag} <= s.${time} GROUP BY s.label`;
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const young = ttl === undefined ? '' : ` WHERE event >= t - ${lag + ttl}`;
  const found = `${prefix}_found`;
  await addressed(c, table, () =>
    c.run(
      `CREATE TEMP TABLE ${found} AS ${withKeys(`SELECT label, id, event FROM (${newest})${young}`, labels)}`,
    ),
  );
  const rows = `${prefix}_rows`;
  await c.run(
    `CREATE TEMP TABLE ${rows} AS SELECT w.label, ${source.columns.join(', ')} FROM ${source.from} JOIN ${found} w ON ${source.equal('w')} AND ${source.event} = w.event`,
  );
  await keepFirst(c, { rows, found, one: ['label'], order: rowOrder(view) });
  return [['s.rowid', 'label']];
}

/** Runs a statement that groups by the labels' numbers, which are dense: addressed instead of hashed, where there is memory for it. */
async function addressed(c: Connection, table: string, run: () => Promise<unknown>): Promise<void> {
  const [bits, fits] = await c.row(
    `SELECT ceil(log2(count(*) + 2))::INTEGER AS bits, bits <= ${MOST_BITS} AND 2 ** bits * ${BYTES_PER_LABEL} * current_setting('threads') < parse_formatted_bytes(current_setting('memory_limit')) / 8 FROM ${table}`,
  );
  if (fits !== true) {
    await run();
    return;
  }
  await c.run(`SET perfect_ht_threshold = ${Number(bits)}`);
  try {
    await run();
  } finally {
    await c.run('RESET perfect_ht_threshold');
  }
}
