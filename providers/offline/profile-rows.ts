import type { ColumnProfile, Profile } from '../../definitions/profile.js';
import { quoteName } from '../../definitions/sql.js';
import type { Schema, ValueType } from '../../definitions/types.js';
import { exactMean, scaling } from './profile-mean.js';
import { hasOrder, profileValue, QUANTILES } from './profile-values.js';
import { isNumber } from './shape.js';

/** Of more rows than this, quantiles and top values are of a sample. */
export const PROFILE_SAMPLE = 1_000_000;

/** What a profile asks of an engine. Its SQL is what DuckDB and Postgres have in common, but for what stands here. */
export interface ProfilingEngine {
  rows(sql: string): Promise<readonly (readonly unknown[])[]>;
  /** Columns whose quantiles one scan may look for: engines hold or sort their values meanwhile. */
  readonly quantilesAtOnce: number;
  /** Microseconds since 1970 of an instant. */
  micros(value: string): string;
  /** A text that is compared by its bytes. */
  byBytes(value: string): string;
  /** The name of a table with every k-th row, in the rows' order, beginning with the first. */
  sample(k: number): Promise<string>;
}

/** A column with the expression of its value: NULL for NaN, which has no place among numbers. */
interface Column {
  readonly name: string;
  readonly type: ValueType;
  readonly raw: string;
  readonly value: string;
}

const TOP = 10;

/**
 * Profiles a table, given as SQL. Nothing depends on the order in which rows arrive: counts, extremes and integer sums are exact, and floating-point
 * numbers are added as integers (see profile-mean.ts). Two scans, and over at most `most` rows a few for quantiles and one for each
 * column's top values.
 */
export async function profileRows(
  engine: ProfilingEngine,
  table: string,
  schema: Schema,
  most: number,
): Promise<Profile> {
  const columns = Object.entries(schema).map(([name, type]) => columnOf(engine, name, type));
  const { rows, facts } = await scan(engine, table, columns);
  const means = await meansOf(engine, table, columns, facts);
  const k = Math.ceil(rows / most);
  const isSample = k > 1;
  const sample = isSample ? await engine.sample(k) : table;
  const quantiles = await quantilesOf(engine, sample, columns);
  const profiles: ColumnProfile[] = [];
  for (const [i, column] of columns.entries()) {
    const found = facts[i] as ColumnFacts;
    const { name, type } = column;
    const mean = means.get(name);
    const values = quantiles.get(name);
    const top = hasOrder(type) ? await topOf(engine, sample, column) : [];
    profiles.push({
      name,
      type,
      nulls: found.nulls,
      nullRate: rows === 0 ? 0 : found.nulls / rows,
      ...(found.nan === undefined ? {} : { nan: found.nan }),
      ...(found.min === undefined ? {} : { min: profileValue(type, found.min) }),
      ...(found.max === undefined ? {} : { max: profileValue(type, found.max) }),
      ...(mean === undefined ? {} : { mean }),
      ...(values === undefined ? {} : { quantiles: values }),
      ...(top.length === 0 ? {} : { top }),
    });
  }
  return { rows, ...(isSample ? { sampledRows: Math.ceil(rows / k) } : {}), columns: profiles };
}

function columnOf(engine: ProfilingEngine, name: string, type: ValueType): Column {
  const raw = quoteName(name);
  const value = (): string => {
    if (type === 'int32' || type === 'int64') return `${raw}::int8`;
    if (type === 'float32' || type === 'float64') return `nullif(${raw}::float8, 'NaN'::float8)`;
    if (type === 'timestamp') return engine.micros(raw);
    return type === 'string' ? engine.byBytes(raw) : raw;
  };
  return { name, type, raw, value: value() };
}

/** What the first scan finds of a column; texts are the engine's. */
interface ColumnFacts {
  readonly nulls: number;
  /** Values that are neither NULL nor NaN. */
  readonly values: number;
  readonly nan?: number;
  readonly min?: string;
  readonly max?: string;
  /** Of integers. */
  readonly sum?: string;
  /** Of floats: how many are finite, and the greatest of these without its sign. */
  readonly finite?: number;
  readonly greatest?: number;
}

const finiteSql = (value: string): string => `abs(${value}) < 'Infinity'::float8`;

async function scan(
  engine: ProfilingEngine,
  table: string,
  columns: readonly Column[],
): Promise<{ readonly rows: number; readonly facts: readonly ColumnFacts[] }> {
  const asked = columns.map(({ type, raw, value }) => {
    const parts = [`count(${raw})`];
    if (!hasOrder(type)) return parts;
    const [min, max] = type === 'bool' ? (['bool_and', 'bool_or'] as const) : (['min', 'max'] as const);
    // Of instants the extremes alone are converted.
    const extreme = (best: string): string =>
      type === 'timestamp' ? engine.micros(`${best}(${raw})`) : `${best}(${value})`;
    parts.push(
      type === 'timestamp' ? `count(${raw})` : `count(${value})`,
      `${extreme(min)}::text`,
      `${extreme(max)}::text`,
    );
    if (type.startsWith('int')) parts.push(`sum(${value})::text`);
    if (type.startsWith('float'))
      parts.push(
        `count(*) FILTER (WHERE ${finiteSql(value)})`,
        `(max(abs(${value})) FILTER (WHERE ${finiteSql(value)}))::text`,
      );
    return parts;
  });
  const [row = []] = await engine.rows(`SELECT ${['count(*)', ...asked.flat()].join(', ')} FROM ${table}`);
  const rows = Number(row[0]);
  let at = 1;
  const facts = columns.map(({ type }, i) => {
    const [present, values, min, max, ...rest] = row.slice(at, (at += asked[i]?.length ?? 0));
    const nulls = rows - Number(present);
    if (!hasOrder(type)) return { nulls, values: 0 };
    return {
      nulls,
      values: Number(values),
      ...(type.startsWith('float') ? { nan: Number(present) - Number(values) } : {}),
      ...(typeof min === 'string' ? { min } : {}),
      ...(typeof max === 'string' ? { max } : {}),
      ...(type.startsWith('int') && typeof rest[0] === 'string' ? { sum: rest[0] } : {}),
      ...(typeof rest[1] === 'string' ? { finite: Number(rest[0]), greatest: Number(rest[1]) } : {}),
    };
  });
  return { rows, facts };
}

/** Integers' means from their sums; one more scan for all floats. */
async function meansOf(
  engine: ProfilingEngine,
  table: string,
  columns: readonly Column[],
  facts: readonly ColumnFacts[],
): Promise<ReadonlyMap<string, number>> {
  const means = new Map<string, number>();
  const floats: {
    readonly name: string;
    readonly sum: string;
    readonly finite: number;
    readonly shift: number;
  }[] = [];
  for (const [i, { name, value }] of columns.entries()) {
    const { sum, values = 0, finite = 0, greatest } = facts[i] ?? {};
    if (sum !== undefined) means.set(name, exactMean(BigInt(sum), values, 0));
    if (greatest === undefined) continue;
    const { least, factors, shift } = scaling(greatest);
    const scaled = [value, ...factors.map((factor) => `'${factor}'::float8`)].join(' * ');
    floats.push({
      ...{ name, finite, shift },
      // Not by FILTER: engines may compute what it leaves out.
      sum: `sum(CASE WHEN abs(${value}) >= '${least}'::float8 AND ${finiteSql(value)} THEN (${scaled})::int8 ELSE 0 END)::text`,
    });
  }
  if (floats.length === 0) return means;
  const [row = []] = await engine.rows(`SELECT ${floats.map(({ sum }) => sum).join(', ')} FROM ${table}`);
  for (const [i, { name, finite, shift }] of floats.entries())
    means.set(name, exactMean(BigInt(String(row[i])), finite, shift));
  return means;
}

async function quantilesOf(
  engine: ProfilingEngine,
  table: string,
  columns: readonly Column[],
): Promise<ReadonlyMap<string, NonNullable<ColumnProfile['quantiles']>>> {
  const found = new Map<string, NonNullable<ColumnProfile['quantiles']>>();
  const asked = columns.filter(({ type }) => isNumber(type) || type === 'timestamp');
  for (let from = 0; from < asked.length; from += engine.quantilesAtOnce) {
    const some = asked.slice(from, from + engine.quantilesAtOnce);
    const expressions = some.map(
      ({ value }) =>
        `array_to_string((percentile_disc(ARRAY[${Object.values(QUANTILES).join(', ')}]) WITHIN GROUP (ORDER BY ${value}))::text[], ',')`,
    );
    const [row = []] = await engine.rows(`SELECT ${expressions.join(', ')} FROM ${table}`);
    for (const [i, { name, type }] of some.entries()) {
      const text = row[i];
      if (typeof text !== 'string' || text === '') continue;
      const values = text.split(',');
      found.set(
        name,
        Object.fromEntries(
          Object.keys(QUANTILES).map((key, q) => [key, profileValue(type, values[q] ?? '')]),
        ) as NonNullable<ColumnProfile['quantiles']>,
      );
    }
  }
  return found;
}

async function topOf(
  engine: ProfilingEngine,
  table: string,
  { type, value }: Column,
): Promise<NonNullable<ColumnProfile['top']>> {
  const rows = await engine.rows(
    `SELECT v::text, n FROM (SELECT ${value} AS v, count(*) AS n FROM ${table} GROUP BY 1) t WHERE v IS NOT NULL ORDER BY n DESC, t.v LIMIT ${TOP}`,
  );
  return rows.map(([text, n]) => ({ value: profileValue(type, String(text)), count: Number(n) }));
}
