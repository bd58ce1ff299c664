import type { JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { lagOf, ttlOf } from '../join-shape.js';
import { areAsMany, keepFirst, withKeys } from './view-asof.js';
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
  const rows = `${prefix}_rows`;
  const pairs = numbered
    ? `JOIN ${table} s ON ${source.equal('s', [id])}`
    : `JOIN ${keys} k ON ${source.equal('k')} JOIN ${table} s ON k.id = s.${id}`;
  const seen = `FROM ${source.from} ${pairs} WHERE ${source.event} + ${lag} <= s.${time}`;
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const young = (event: string): string =>
    ttl === undefined ? '' : ` WHERE ${event} >= s.${time} - ${lag + ttl}`;
  if (await isMostlyOneEach(c, source, labels)) {
    await c.run(`CREATE TEMP TABLE ${rows} AS SELECT s.label, ${source.columns.join(', ')} ${seen}`);
    await keepFirst(c, { rows, one: ['label'], order: rowOrder(view) }, () =>
      addressed(c, table, async () => {
        const [most] = await c.row(
          `SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM ${rows} GROUP BY label)`,
        );
        return Number(most) <= 1;
      }),
    );
    if (ttl !== undefined)
      await c.run(
        `DELETE FROM ${rows} r USING ${table} s WHERE r.label = s.label AND r.event < s.${time} - ${lag + ttl}`,
      );
    return [['s.rowid', 'label']];
  }
  const newest = `SELECT s.label, max(${source.event}) AS event ${seen} GROUP BY s.label`;
  const found = `${prefix}_found`;
  await addressed(c, table, () =>
    c.run(
      `CREATE TEMP TABLE ${found} AS ${withKeys(`SELECT n.label, s.${id} AS id, n.event FROM (${newest}) n JOIN ${table} s ON n.label = s.label${young('n.event')}`, labels)}`,
    ),
  );
  await c.run(
    `CREATE TEMP TABLE ${rows} AS SELECT w.label, ${source.columns.join(', ')} FROM ${source.from} JOIN ${found} w ON ${source.equal('w')} AND ${source.event} = w.event`,
  );
  await keepFirst(c, { rows, one: ['label'], order: rowOrder(view) }, () => areAsMany(c, rows, found));
  return [['s.rowid', 'label']];
}

/** Whether most rows of the view have a key of their own, as profiles have: then a match is read with its values at once. */
async function isMostlyOneEach(c: Connection, source: Source, { keys }: Labels): Promise<boolean> {
  const { files } = source;
  if (files === undefined) return false;
  const [isFew] = await c.row(
    `SELECT (SELECT sum(num_rows) FROM parquet_file_metadata(${files})) <= 2 * (SELECT count(*) FROM ${keys})`,
  );
  if (isFew !== true) return false;
  const [isOne] = await c.row(
    `SELECT approx_count_distinct(${source.key}) >= 0.9 * count(*) FROM ${source.from}`,
  );
  return isOne === true;
}

/** Runs a statement that groups by the labels' numbers, which are dense: addressed instead of hashed, where there is memory for it. */
async function addressed<T>(c: Connection, table: string, run: () => Promise<T>): Promise<T> {
  const [bits, fits] = await c.row(
    `SELECT ceil(log2(count(*) + 2))::INTEGER AS bits, bits <= ${MOST_BITS} AND 2 ** bits * ${BYTES_PER_LABEL} * current_setting('threads') < parse_formatted_bytes(current_setting('memory_limit')) / 8 FROM ${table}`,
  );
  if (fits !== true) return await run();
  await c.run(`SET perfect_ht_threshold = ${Number(bits)}`);
  try {
    return await run();
  } finally {
    await c.run('RESET perfect_ht_threshold');
  }
}
