import { listItem, type ScalarType, type ValueType } from '../../../definitions/types.js';

/** A column as the catalogue knows it. */
export interface FoundColumn {
  readonly name: string;
  /** `int4`, `numeric`, `enum`, ...; of an array with `[]` after it. Of a domain: the type below it. */
  readonly family: string;
  /** What Postgres calls the type, for messages. */
  readonly shown: string;
}

/** The one table of types: what each is called in SQL, and in the catalogue. */
const TYPES: Readonly<Record<ScalarType, { readonly sql: string; readonly family: string }>> = {
  bool: { sql: 'boolean', family: 'bool' },
  int32: { sql: 'integer', family: 'int4' },
  int64: { sql: 'bigint', family: 'int8' },
  float32: { sql: 'real', family: 'float4' },
  float64: { sql: 'double precision', family: 'float8' },
  string: { sql: 'text', family: 'text' },
  bytes: { sql: 'bytea', family: 'bytea' },
  timestamp: { sql: 'timestamptz', family: 'timestamptz' },
};

/** The types that a table's column may have, by declared type: only what converts without loss (numeric: to the nearest float64). */
const SOURCE_FAMILIES: Readonly<Record<ScalarType, readonly string[]>> = {
  bool: ['bool'],
  int32: ['int2', 'int4'],
  int64: ['int2', 'int4', 'int8'],
  float32: ['int2', 'float4'],
  float64: ['int2', 'int4', 'float4', 'float8', 'numeric'],
  string: ['text', 'varchar', 'bpchar', 'char', 'name', 'citext', 'uuid', 'json', 'jsonb', 'enum'],
  bytes: ['bytea'],
  timestamp: ['timestamptz', 'timestamp', 'date'],
};

const INTEGERS = ['int2', 'int4', 'int8', 'numeric'];

const scalarOf = (type: ValueType): ScalarType => listItem(type) ?? (type as ScalarType);
const isList = (type: ValueType): boolean => listItem(type) !== undefined;

/** Postgres's name of a declared type. */
export const sqlType = (type: ValueType): string => `${TYPES[scalarOf(type)].sql}${isList(type) ? '[]' : ''}`;

/** The catalogue's name of a declared type. */
export const familyOf = (type: ValueType): string =>
  `${TYPES[scalarOf(type)].family}${isList(type) ? '[]' : ''}`;

/** Whether a table's column may be declared as `declared`: same kind, never narrower. */
export function fitsSource(declared: ValueType, family: string): boolean {
  if (isList(declared) !== family.endsWith('[]')) return false;
  return SOURCE_FAMILIES[scalarOf(declared)].includes(family.replace('[]', ''));
}

/** Whether a query's column may be kept as `declared`: same kind; ranges are checked on the values. */
export function fitsOutput(declared: ValueType, family: string): boolean {
  if (fitsSource(declared, family)) return true;
  if (isList(declared) !== family.endsWith('[]')) return false;
  const found = family.replace('[]', '');
  const scalar = scalarOf(declared);
  if (scalar === 'int32' || scalar === 'int64') return INTEGERS.includes(found);
  if (scalar === 'float32' || scalar === 'float64') return ['float4', 'float8', ...INTEGERS].includes(found);
  return false;
}

/** The declaration to suggest for a type; `undefined` when Granary has none for it. */
export function suggestedType(family: string): ValueType | undefined {
  const found = family.replace('[]', '');
  const scalar = (
    ['int32', 'int64', 'float32', 'float64', 'bool', 'string', 'bytes', 'timestamp'] as const
  ).find((type) => SOURCE_FAMILIES[type].includes(found));
  return scalar === undefined || !family.endsWith('[]') ? scalar : `list<${scalar}>`;
}

/** A value as its declared type. The session's time zone is UTC, so that a timestamp without a zone is one in UTC. */
export function convert(value: string, type: ValueType, family: string): string {
  if (family === familyOf(type)) return value;
  if (type !== 'float32') return `${value}::${sqlType(type)}`;
  // Postgres refuses what float32 rounds to zero.
  return `CASE WHEN abs(${value}) <= 7.006492321624085e-46 THEN 0::real ELSE ${value}::real END`;
}

/** A value to keep, with -0.0 as 0.0, also within a list; of a list a subquery. */
export function positiveZero(value: string, type: ValueType): string {
  const item = scalarOf(type);
  if (item !== 'float32' && item !== 'float64') return value;
  if (!isList(type)) return `(${value} + 0::${sqlType(item)})`;
  // Only lists with a zero are made anew, and none of several dimensions, which would lose them.
  return `CASE WHEN array_ndims(${value}) = 1 AND 0::${sqlType(item)} = ANY (${value}) THEN ARRAY(SELECT u + 0::${sqlType(item)} FROM unnest(${value}) WITH ORDINALITY a(u, n) ORDER BY n) ELSE ${value} END`;
}

/** A condition that is true for values that `type` cannot hold; undefined when every value fits. NULL fits. */
export function misfit(value: string, type: ValueType, family: string): string | undefined {
  const item = listItem(type);
  if (item !== undefined) {
    const inner = misfit('u', item, family.replace('[]', ''));
    return inner && `EXISTS (SELECT FROM unnest(${value}) u WHERE ${inner})`;
  }
  if (type === 'timestamp')
    return `(${value}::timestamptz < '0001-01-01T00:00:00Z' OR ${value}::timestamptz > '9999-12-31T23:59:59.999999Z')`;
  if (type === 'float32' && (family === 'float8' || family === 'numeric'))
    return `(abs(${value}) >= 3.4028235677973366e38 AND abs(${value})::float8 NOT IN ('Infinity', 'NaN'))`;
  if ((type !== 'int32' && type !== 'int64') || SOURCE_FAMILIES[type].includes(family)) return undefined;
  const [min, max] =
    type === 'int32' ? ['-2147483648', '2147483647'] : ['-9223372036854775808', '9223372036854775807'];
  const outside = `${value} NOT BETWEEN ${min} AND ${max}`;
  return family === 'numeric' ? `(${outside} OR ${value} <> trunc(${value}))` : `(${outside})`;
}

/** Whether values are converted only after they were found to fit. */
export const convertsLater = (type: ValueType, family: string): boolean =>
  type !== 'timestamp' && misfit('v', type, family) !== undefined && listItem(type) === undefined;

/** Texts are compared by their bytes, whatever the database's collation. */
export const byBytes = (value: string, type: ValueType): string =>
  scalarOf(type) === 'string' ? `(${value} COLLATE "C")` : value;
