import { quoteName } from '../../../definitions/sql.js';
import type { ScalarType } from '../../../definitions/types.js';
import { literal } from '../duckdb/sql-text.js';
import { STAGED_COLUMNS, type NewestRows } from '../provider.js';
import { checkRows } from '../rows-check.js';
import type { StagedNewest, StageOwner, TableRelation } from '../table-provider.js';
import { byBytes, convert, familyOf, misfit, positiveZero } from './column-types.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { microsSql } from './sql-text.js';
import { createStaged, HIDDEN } from './system-tables.js';
import { featureType } from '../shape.js';

const MAX_SHARDS = 16;
const NEWEST = 'newest_rows';

/**
 * Stages the newest row per join-key tuple, numbered within its shard. Newest: the greatest event time, then created time (NULL least),
 * then the total order of the features, then generation.
 */
export async function stageNewestRows(
  c: Connection,
  schema: string,
  request: NewestRows<TableRelation>,
  owner: StageOwner,
  detail: unknown,
): Promise<StagedNewest> {
  const { name, relation, joinKeys, features, timestampField } = request;
  const types = features.map(({ column, type }) => featureType(relation, column, type));
  const rows = await relationSql(c, relation, { generation: STAGED_COLUMNS.generation });
  await checkRows(c, {
    name,
    table: `(${rows}) r`,
    misfit,
    columns: [],
    keys: joinKeys.map(({ column }) => column),
    ...(timestampField === undefined ? {} : { timestampField }),
  });
  await c.run(`CREATE TEMP TABLE ${NEWEST} ON COMMIT DROP AS ${newestSql(request, rows)}`);
  await checkRows(c, {
    name,
    table: NEWEST,
    misfit,
    columns: [
      ...features.map((feature, i) => ({
        column: `f${i}`,
        as: feature.name,
        type: feature.type,
        found: familyOf(types[i] ?? feature.type),
      })),
      ...(timestampField === undefined
        ? []
        : [{ column: 'event', as: timestampField, type: 'timestamp' as const, found: 'timestamptz' }]),
    ],
    keys: [],
  });
  const [count] = await c.row(`SELECT count(*) FROM ${NEWEST}`);
  const shards = Math.max(1, Math.min(MAX_SHARDS, Math.ceil(Number(count) / request.rowsPerShard)));
  const names = joinKeys.map((_, i) => `k${i}`).join(', ');
  const shard = `((${shardHash(joinKeys)} & 9223372036854775807) % ${shards})::integer`;
  const columns = [
    `shard AS ${HIDDEN.shard}`,
    `row_number() OVER (PARTITION BY shard ORDER BY ${names}) - 1 AS ${HIDDEN.row}`,
    ...joinKeys.map((_, i) => `k${i}`),
    ...features.map(({ type }, i) =>
      [positiveZero(convert(`f${i}`, type, familyOf(types[i] ?? type)), type), `AS f${i}`].join(' '),
    ),
    `${microsSql('event')} AS ${STAGED_COLUMNS.eventTime}`,
    `${microsSql('created')} AS ${STAGED_COLUMNS.createdTime}`,
    STAGED_COLUMNS.generation,
  ];
  const staged = await createStaged(
    c,
    schema,
    owner,
    `SELECT ${columns.join(', ')} FROM (SELECT *, ${shard} AS shard FROM ${NEWEST}) n`,
    detail,
  );
  await c.run(`ALTER TABLE ${staged.sql} ADD PRIMARY KEY (${HIDDEN.shard}, ${HIDDEN.row})`);
  const counts = new Map(
    (await c.rows(`SELECT ${HIDDEN.shard}, count(*) FROM ${staged.sql} GROUP BY 1`)).map(([s, n]) => [
      Number(s),
      Number(n),
    ]),
  );
  return { table: staged.table, shards: Array.from({ length: shards }, (_, s) => counts.get(s) ?? 0) };
}

/** Keys are named k0, k1, ... and features f0, f1, ... here: a column may be both. */
function newestSql(
  {
    relation,
    joinKeys,
    features,
    timestampField,
    createdTimestampField,
    eventTime,
  }: NewestRows<TableRelation>,
  rows: string,
): string {
  const keys = joinKeys.map(({ column, type }, i) => {
    const from = featureType(relation, column, type);
    return `${byBytes(convert(`r.${quoteName(column)}`, type, familyOf(from)), type)} AS k${i}`;
  });
  const values = features.map(
    ({ column }, i) => `${byBytes(`r.${quoteName(column)}`, relation.schema[column] ?? 'string')} AS f${i}`,
  );
  const event =
    timestampField === undefined ? `timestamptz ${literal(eventTime)}` : `r.${quoteName(timestampField)}`;
  const created =
    createdTimestampField === undefined ? 'NULL::timestamptz' : `r.${quoteName(createdTimestampField)}`;
  const names = joinKeys.map((_, i) => `k${i}`);
  const order = [
    ...names,
    ...(timestampField === undefined ? [] : ['event DESC']),
    ...(createdTimestampField === undefined ? [] : ['created DESC NULLS LAST']),
    ...features.map((_, i) => `f${i} DESC NULLS LAST`),
    `${STAGED_COLUMNS.generation} DESC`,
  ];
  const columns = [
    ...keys,
    ...values,
    `${event} AS event`,
    `${created} AS created`,
    `r.${STAGED_COLUMNS.generation}`,
  ];
  return `SELECT DISTINCT ON (${names.join(', ')}) * FROM (SELECT ${columns.join(', ')} FROM (${rows}) r) n ORDER BY ${order.join(', ')}`;
}

/** The lengths keep ('a', 'bc') apart from ('ab', 'c'). */
function shardHash(joinKeys: NewestRows['joinKeys']): string {
  const parts = joinKeys.map(({ type }, i) => {
    const text = keyText(`k${i}`, type);
    return `length(${text}) || ':' || ${text}`;
  });
  return `hashtextextended(${parts.join(' || ')}, 0)`;
}

const keyText = (key: string, type: ScalarType): string =>
  type === 'bytes' ? `encode(${key}, 'hex')` : `${key}::text`;
