import { listItem, type ScalarType, type ValueType } from '../../../definitions/types.js';

const ENGINE_TYPES: Readonly<Record<ScalarType, string>> = {
  bool: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  string: 'VARCHAR',
  bytes: 'BLOB',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
};

const TIMESTAMPS = [
  'DATE',
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP_NS',
  'TIMESTAMP WITH TIME ZONE',
];
const TEXTS = ['VARCHAR', 'UUID', 'JSON'];
const SMALL_INTEGERS = ['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT'];
const LARGE_INTEGERS = ['UBIGINT', 'HUGEINT', 'UHUGEINT'];

/** The engine types that a source's column may have, by declared type: only what converts without loss. */
const SOURCE_TYPES: Readonly<Record<ScalarType, readonly string[]>> = {
  bool: ['BOOLEAN'],
  int32: SMALL_INTEGERS,
  int64: [...SMALL_INTEGERS, 'UINTEGER', 'BIGINT'],
  float32: ['FLOAT'],
  float64: ['FLOAT', 'DOUBLE'],
  string: TEXTS,
  bytes: ['BLOB'],
  timestamp: TIMESTAMPS,
};

/** DuckDB's name of a column type. A timestamp is TIMESTAMPTZ: an instant. */
export function engineType(type: ValueType): string {
  const item = listItem(type);
  return item === undefined ? ENGINE_TYPES[type as ScalarType] : `${ENGINE_TYPES[item]}[]`;
}

/** The engine's type without the parameters of decimals and enums. */
function family(found: string): string {
  if (found.startsWith('DECIMAL')) return 'DECIMAL';
  return found.startsWith('ENUM') ? 'VARCHAR' : found;
}

/** The item type of an engine's list type, or `undefined`. */
function foundItem(found: string): string | undefined {
  return found.endsWith('[]') ? found.slice(0, -2) : undefined;
}

/** Whether a source's column of engine type `found` may be declared as `declared`: same kind, never narrower. */
export function fitsSource(declared: ValueType, found: string): boolean {
  const item = listItem(declared);
  if (item === undefined) return SOURCE_TYPES[declared as ScalarType].includes(family(found));
  const inner = foundItem(found);
  return inner !== undefined && SOURCE_TYPES[item].includes(family(inner));
}

/** Whether a query's column may be written as `declared`. Same kind; ranges are checked on the values. */
export function fitsOutput(declared: ValueType, found: string): boolean {
  const item = listItem(declared);
  const inner = item === undefined ? found : foundItem(found);
  if (inner === undefined) return false;
  const base = family(inner);
  switch (item ?? (declared as ScalarType)) {
    case 'int32':
    case 'int64':
      return base === 'DECIMAL' || LARGE_INTEGERS.includes(base) || SOURCE_TYPES.int64.includes(base);
    case 'float32':
    case 'float64':
      return base === 'FLOAT' || base === 'DOUBLE' || fitsOutput('int64', base);
    case 'bool':
    case 'string':
    case 'bytes':
    case 'timestamp':
      return SOURCE_TYPES[item ?? (declared as ScalarType)].includes(base);
  }
}

/** The declaration to suggest for an engine type; `undefined` when Granary has no type for it. */
export function suggestedType(found: string): ValueType | undefined {
  const inner = foundItem(found);
  const base = family(inner ?? found);
  const scalar = (
    ['int32', 'int64', 'float32', 'float64', 'bool', 'string', 'bytes', 'timestamp'] as const
  ).find((type) => SOURCE_TYPES[type].includes(base));
  if (scalar === undefined) return undefined;
  return inner === undefined ? scalar : `list<${scalar}>`;
}

/** An expression that converts `value`, of engine type `found`, to a declared type. */
export function convert(value: string, declared: ValueType, found: string): string {
  const item = listItem(declared);
  const inner = foundItem(found);
  if (item === undefined || inner === undefined) return convertScalar(value, declared as ScalarType, found);
  const converted = convertScalar('v', item, inner);
  return converted === 'v' ? value : `list_transform(${value}, lambda v: ${converted})`;
}

function convertScalar(value: string, declared: ScalarType, found: string): string {
  if (found === ENGINE_TYPES[declared]) return value;
  if (declared !== 'timestamp') return `CAST(${value} AS ${ENGINE_TYPES[declared]})`;
  // CAST goes through ICU's calendar and costs 15 times as much as this, which means the same in UTC.
  if (found !== 'TIMESTAMP_NS') return `make_timestamptz(epoch_us(${value}))`;
  // Integer division cuts towards zero; before 1970 the microsecond must be cut towards the past.
  return `make_timestamptz(epoch_ns(${value}) // 1000 - CASE WHEN epoch_ns(${value}) % 1000 < 0 THEN 1 ELSE 0 END)`;
}

/** The years that every system downstream can hold: 0001 to 9999. */
const FIRST_MICROS = -62_135_596_800_000_000n;
const LAST_MICROS = 253_402_300_799_999_999n;

/**
 * A condition that is true for values of engine type `found` that a column of type `declared` cannot hold;
 * `undefined` when all fit.
 */
export function misfit(value: string, declared: ValueType, found: string): string | undefined {
  const item = listItem(declared);
  const inner = foundItem(found);
  if (item === undefined || inner === undefined) return scalarMisfit(value, declared as ScalarType, found);
  const condition = scalarMisfit('v', item, inner);
  return condition === undefined ? undefined : `len(list_filter(${value}, lambda v: ${condition})) > 0`;
}

function scalarMisfit(value: string, declared: ScalarType, found: string): string | undefined {
  if (declared === 'timestamp') {
    if (found === 'TIMESTAMP_NS') return undefined;
    return `(epoch_us(${value}) NOT BETWEEN ${FIRST_MICROS} AND ${LAST_MICROS} OR isinf(${value}))`;
  }
  if (found === ENGINE_TYPES[declared] || SOURCE_TYPES[declared].includes(found)) return undefined;
  if (declared === 'float32')
    return found === 'DOUBLE'
      ? `(isfinite(${value}) AND coalesce(isinf(TRY_CAST(${value} AS FLOAT)), true))`
      : undefined;
  if (declared !== 'int32' && declared !== 'int64') return undefined;
  const outside = `(${value} IS NOT NULL AND TRY_CAST(${value} AS ${ENGINE_TYPES[declared]}) IS NULL)`;
  return found.startsWith('DECIMAL') ? `(${outside} OR ${value} <> trunc(${value}))` : outside;
}

/** Whether a type is, or is a list of, floating-point numbers. */
export function isFloat(type: ValueType): boolean {
  return (listItem(type) ?? type).startsWith('float');
}

/**
 * A value of a column to be written, with -0.0 as 0.0: the engine compares them as equal, and its sort and its Parquet
 * dictionaries give back either, so only one of them has stable bytes.
 */
export function positiveZero(value: string, type: ValueType): string {
  if (!isFloat(type)) return value;
  const item = listItem(type);
  const v = item === undefined ? value : 'v';
  const positive = `CASE WHEN ${v} = 0 THEN CAST(0 AS ${ENGINE_TYPES[item ?? (type as ScalarType)]}) ELSE ${v} END`;
  return item === undefined ? positive : `list_transform(${value}, lambda v: ${positive})`;
}
