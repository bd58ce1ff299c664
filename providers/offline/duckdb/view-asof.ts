import type { JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { lagOf, ttlOf } from '../join-shape.js';
import type { JoinCondition, Labels } from './view-match.js';
import { firstOf, rowOrder, type Source } from './view-source.js';

/** The columns that tell the row of a match from a key's others, as the labels (`v0_at_event`) and the view's rows (`event`) have them. */
const instantOf = (prefix: string, knownAt: boolean): readonly (readonly [label: string, row: string])[] =>
  (knownAt ? ['event', 'created'] : ['event']).map((part) => [`${prefix}_at_${part}`, part]);

/**
 * Matches by sorting both sides (ASOF), however many labels and rows a key has; the view's rows are found once an instant, and each label bears
 * its own. What is sorted is narrow; the values of the matched instants are read afterwards, by hashing.
 */
export async function matchBySorting(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
  source: Source,
): Promise<JoinCondition> {
  await addInstants(c, view, prefix, labels, source);
  const rows = `${prefix}_rows`;
  const instants = instantOf(prefix, labels.knownAt);
  const found = `${prefix}_instants`;
  const distinct = `SELECT DISTINCT ${labels.id} AS id, ${instants.map(([label, row]) => `${label} AS ${row}`).join(', ')} FROM ${labels.table} WHERE ${prefix}_at_event IS NOT NULL`;
  await c.run(`CREATE TEMP TABLE ${found} AS ${withKeys(distinct, labels)}`);
  const same = instants.map(([, row]) => `${row === 'event' ? source.event : source.created} = w.${row}`);
  await c.run(
    `CREATE TEMP TABLE ${rows} AS SELECT w.id, ${source.columns.join(', ')} FROM ${source.from} JOIN ${found} w ON ${[source.equal('w'), ...same].join(' AND ')}`,
  );
  await keepFirst(c, { rows, one: ['id', ...instants.map(([, row]) => row)], order: rowOrder(view) }, () =>
    areAsMany(c, rows, found),
  );
  return [[`s.${labels.id}`, 'id'], ...instants.map(([label, row]) => [`t.${label}`, row] as const)];
}

/** A table with a number of a key tuple, `id`, gets the keys themselves: `k0`, `k1`, ... */
export const withKeys = (rows: string, { numbered, keys }: Labels): string =>
  numbered
    ? `SELECT *, id AS k0 FROM (${rows})`
    : `SELECT w.*, k.* EXCLUDE (id) FROM (${rows}) w JOIN ${keys} k ON w.id = k.id`;

/** Where some match has several rows, keeps the first of each. */
export async function keepFirst(
  c: Connection,
  {
    rows,
    one,
    order,
  }: { readonly rows: string; readonly one: readonly string[]; readonly order: readonly string[] },
  isOneEach: () => Promise<boolean>,
): Promise<void> {
  if (await isOneEach()) return;
  await c.run(
    `CREATE TEMP TABLE ${rows}_one AS ${firstOf(`SELECT * FROM ${rows}`, one, order)}; DROP TABLE ${rows}; ALTER TABLE ${rows}_one RENAME TO ${rows}`,
  );
}

/** Whether two tables have as many rows; the second is dropped. */
export async function areAsMany(c: Connection, rows: string, found: string): Promise<boolean> {
  const [isSame] = await c.row(`SELECT (SELECT count(*) FROM ${rows}) = (SELECT count(*) FROM ${found})`);
  await c.run(`DROP TABLE ${found}`);
  return isSame === true;
}

/** Adds to each label row the instant of the view's row that it takes, or NULL. */
async function addInstants(
  c: Connection,
  view: JoinedView,
  prefix: string,
  { table, id, keys, time = '', knownAt }: Labels,
  source: Source,
): Promise<void> {
  const lag = lagOf(view);
  const ttl = ttlOf(view);
  const select = (columns: string, where = source.where): string =>
    `SELECT k.id, ${source.event} AS event, ${columns} FROM ${source.from} JOIN ${keys} k ON ${source.equal('k')}${where}`;
  // An infinite time has no microseconds, and greatest() skips NULL: what is known at no instant is left out, what always was counts from its event on.
  const times = knownAt
    ? recordsSql(
        select(
          `${source.created} AS created, greatest(${source.event} + ${lag}, epoch_us(${source.created})) AS since`,
          `${source.where} AND ${source.created} < TIMESTAMPTZ 'infinity'`,
        ),
      )
    : select(`${source.event} + ${lag} AS since`);
  // The TTL is applied to the match: a newest row that is too old must not give way to an older one.
  const young = (column: string): string =>
    ttl === undefined ? column : `CASE WHEN f.event >= s.${time} - ${lag + ttl} THEN ${column} END`;
  const found = instantOf(prefix, knownAt).map(([label, row]) => `${young(`f.${row}`)} AS ${label}`);
  await c.run(
    `CREATE TEMP TABLE ${table}_next AS SELECT s.*, ${found.join(', ')} FROM ${table} s ASOF LEFT JOIN (${times}) f ON s.${id} = f.id AND s.${time} >= f.since; DROP TABLE ${table}; ALTER TABLE ${table}_next RENAME TO ${table}`,
  );
}

/**
 * Of a key's rows those that are the greatest of all that are known at the instant `since` which they are known from: between two of them, the
 * earlier one counts. So a label looks at one of them, however long a history is.
 */
function recordsSql(known: string): string {
  const ranked = `SELECT *, dense_rank() OVER (PARTITION BY id ORDER BY event, created) AS rank FROM (${known})`;
  return `SELECT DISTINCT id, event, created, since FROM (${ranked}) QUALIFY rank = max(rank) OVER (PARTITION BY id ORDER BY since)`;
}
