import { join } from 'node:path';
import { Timestamp } from '../../../definitions/timestamp.js';
import type { ScalarType } from '../../../definitions/types.js';
import { STAGED_COLUMNS, type NewestRequest, type StagedShard } from '../provider.js';
import { engineType, positiveZero, misfit } from './column-types.js';
import type { Connection } from './connection.js';
import { columnType, featureType } from '../shape.js';
import { featureValue, greatestFirst } from './feature-columns.js';
import { relationSql } from './relation-sql.js';
import { checkRows } from '../rows-check.js';
import { quoteIdentifier, quoteIdentifiers, instant, literal } from './sql-text.js';

const MAX_SHARDS = 16;
const ROWS = '__rows';
const NEWEST = '__newest';
const SHARD_HASH = '__hash';

/**
 * Writes the newest row per join-key tuple into shards. Newest: the greatest event time, then created time (NULL
 * least), then the total order of the features, then generation.
 */
export async function stageNewestRows(
  c: Connection,
  request: NewestRequest,
): Promise<readonly StagedShard[]> {
  const { relation, joinKeys, features, timestampField } = request;
  const types = features.map(({ column, type }) => featureType(relation, column, type));
  for (const { column, type } of joinKeys) featureType(relation, column, type);
  await c.run(
    `CREATE TEMP VIEW ${ROWS} AS ${await relationSql(c, relation, { generation: STAGED_COLUMNS.generation })}`,
  );
  await checkRows(c, {
    name: request.name,
    table: quoteIdentifier(ROWS),
    misfit,
    columns: [],
    keys: joinKeys.map(({ column }) => column),
    ...(timestampField === undefined ? {} : { timestampField }),
  });
  await c.run(newestSql(request, await isOneRowEach(c, request)));
  await checkRows(c, {
    name: request.name,
    table: quoteIdentifier(NEWEST),
    misfit,
    columns: features.map(({ name, type }, i) => ({
      column: `f${i}`,
      as: name,
      type,
      found: engineType(types[i] ?? type),
    })),
    keys: [],
  });
  const [count] = await c.row(`SELECT count(*) FROM ${NEWEST}`);
  const shards = Math.max(1, Math.min(MAX_SHARDS, Math.ceil(Number(count) / request.rowsPerShard)));
  const staged: StagedShard[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const file = `shard-${shard}.parquet`;
    const select = shardSql(request, types, `${SHARD_HASH} % ${shards} = ${shard}`);
    const rows = await c.run(
      `COPY (${select}) TO ${literal(join(request.folder, file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${Math.max(1, Math.trunc(request.rowsPerGroup))})`,
    );
    staged.push({ file, rows });
  }
  return staged;
}

const keysOf = ({ relation, joinKeys }: NewestRequest): string[] =>
  joinKeys.map(
    ({ column, type }, i) =>
      `${featureValue(quoteIdentifier(column), columnType(relation, column), type)} AS k${i}`,
  );

/** Whether no key tuple has several rows, as in most versions of a feature set: then there is nothing to sort. */
async function isOneRowEach(c: Connection, request: NewestRequest): Promise<boolean> {
  const [isOne] = await c.row(
    `SELECT (SELECT count(*) FROM ${ROWS}) = (SELECT count(*) FROM (SELECT DISTINCT ${keysOf(request).join(', ')} FROM ${ROWS}))`,
  );
  return isOne === true;
}

/** Keys are named k0, k1, ... and features f0, f1, ... here: a column may be both. */
function newestSql(request: NewestRequest, isOneEach: boolean): string {
  const { joinKeys, features, timestampField, createdTimestampField, eventTime } = request;
  const keys = keysOf(request);
  const values = features.map(({ column }, i) => `${quoteIdentifier(column)} AS f${i}`);
  const event =
    timestampField === undefined
      ? instant(Timestamp.from(eventTime).micros)
      : quoteIdentifier(timestampField);
  const created =
    createdTimestampField === undefined ? 'NULL::TIMESTAMPTZ' : quoteIdentifier(createdTimestampField);
  const order = [
    ...(timestampField === undefined ? [] : ['event DESC']),
    ...(createdTimestampField === undefined ? [] : ['created DESC NULLS LAST']),
    ...greatestFirst(features.map((_, i) => `f${i}`)),
    `${STAGED_COLUMNS.generation} DESC`,
  ];
  const names = joinKeys.map((_, i) => `k${i}`);
  const rows = `SELECT ${[...keys, ...values, `${event} AS event`, `${created} AS created`, STAGED_COLUMNS.generation].join(', ')} FROM ${ROWS}`;
  const all = `CREATE TEMP TABLE ${NEWEST} AS SELECT *, ${shardHash(joinKeys)} AS ${SHARD_HASH} FROM (${rows})`;
  if (isOneEach) return all;
  return `${all}
    QUALIFY row_number() OVER (PARTITION BY ${quoteIdentifiers(names)} ORDER BY ${order.join(', ')}) = 1`;
}

/**
 * A hash of the keys that stays the same over engine versions (DuckDB's `hash` does not), so that a resumed load
 * finds an entity in the same shard. The lengths keep ('a', 'bc') apart from ('ab', 'c').
 */
function shardHash(joinKeys: NewestRequest['joinKeys']): string {
  const texts = joinKeys.map(({ type }, i) => keyText(`k${i}`, type));
  return `md5_number_lower(concat(${texts.map((text) => `strlen(${text}), ':', ${text}`).join(', ')}))`;
}

function keyText(key: string, type: ScalarType): string {
  if (type === 'bytes') return `hex(${key})`;
  return type === 'timestamp' ? `CAST(epoch_us(${key}) AS VARCHAR)` : `CAST(${key} AS VARCHAR)`;
}

function shardSql(
  request: NewestRequest,
  types: readonly ReturnType<typeof columnType>[],
  where: string,
): string {
  const names = request.joinKeys.map((_, i) => `k${i}`);
  const columns = [
    `row_number() OVER (ORDER BY ${quoteIdentifiers(names)}) - 1 AS ${STAGED_COLUMNS.row}`,
    ...request.joinKeys.map(({ name }, i) => `k${i} AS ${quoteIdentifier(name)}`),
    ...request.features.map(
      ({ name, type }, i) =>
        `${positiveZero(featureValue(`f${i}`, types[i] ?? type, type), type)} AS ${quoteIdentifier(name)}`,
    ),
    `epoch_us(event) AS ${STAGED_COLUMNS.eventTime}`,
    `epoch_us(created) AS ${STAGED_COLUMNS.createdTime}`,
    STAGED_COLUMNS.generation,
  ];
  return `SELECT ${columns.join(', ')} FROM ${NEWEST} WHERE ${where} ORDER BY ${STAGED_COLUMNS.row}`;
}
