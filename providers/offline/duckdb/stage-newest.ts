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
const SHARD = '__shard';

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
  const { rows, entities } = await countRows(c, request);
  const shards = Math.max(1, Math.min(MAX_SHARDS, Math.ceil(entities / request.rowsPerShard)));
  await c.run(newestSql(request, shards, rows === entities));
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
  const staged: StagedShard[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const file = `shard-${shard}.parquet`;
    const rows = await c.run(
      `COPY (${shardSql(request, types, shard)}) TO ${literal(join(request.folder, file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${Math.max(1, Math.trunc(request.rowsPerGroup))})`,
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

/** Rows, and key tuples: as many in most versions of a feature set, and then no row is older than another. */
async function countRows(
  c: Connection,
  request: NewestRequest,
): Promise<{ readonly rows: number; readonly entities: number }> {
  const [rows, entities] = await c.row(
    `SELECT (SELECT count(*) FROM ${ROWS}), (SELECT count(*) FROM (SELECT DISTINCT ${keysOf(request).join(', ')} FROM ${ROWS}))`,
  );
  return { rows: Number(rows), entities: Number(entities) };
}

/** Keys are named k0, k1, ... and features f0, f1, ... here: a column may be both. */
function newestSql(request: NewestRequest, shards: number, isOneEach: boolean): string {
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
  const shard = shards === 1 ? '0' : `(${shardHash(joinKeys)} % ${shards})::INTEGER`;
  const all = `CREATE TEMP TABLE ${NEWEST} AS SELECT *, ${shard} AS ${SHARD} FROM (${rows})`;
  // The engine keeps the order of rows, so that a retry over the same files stages the same bytes.
  if (isOneEach) return all;
  return `${all}
    QUALIFY row_number() OVER (PARTITION BY ${quoteIdentifiers(names)} ORDER BY ${order.join(', ')}) = 1
    ORDER BY ${quoteIdentifiers(names)}`;
}

/**
 * A hash of the keys that stays the same over engine versions (DuckDB's `hash` does not), so that an entity is in the same shard
 * whatever else is staged. The lengths keep ('a', 'bc') apart from ('ab', 'c').
 */
function shardHash(joinKeys: NewestRequest['joinKeys']): string {
  const [key] = joinKeys;
  // Two steps of Lehmer's generator, modulus 2^31 - 1: neighbours and multiples are spread, at a hundredth of MD5's cost.
  if (joinKeys.length === 1 && (key?.type === 'int64' || key?.type === 'int32'))
    return 'abs(k0::BIGINT % 2147483647) * 48271 % 2147483647 * 48271 % 2147483647';
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
  shard: number,
): string {
  const columns = [
    ...request.joinKeys.map(({ name }, i) => `k${i} AS ${quoteIdentifier(name)}`),
    ...request.features.map(
      ({ name, type }, i) =>
        `${positiveZero(featureValue(`f${i}`, types[i] ?? type, type), type)} AS ${quoteIdentifier(name)}`,
    ),
    `epoch_us(event) AS ${STAGED_COLUMNS.eventTime}`,
    `epoch_us(created) AS ${STAGED_COLUMNS.createdTime}`,
    STAGED_COLUMNS.generation,
  ];
  return `SELECT ${columns.join(', ')} FROM ${NEWEST} WHERE ${SHARD} = ${shard}`;
}
