import type { Timestamp } from './timestamp.js';

/** The scalar types of a column. One table a system maps each onto Feast, Arrow, DuckDB and Postgres. */
export const SCALAR_TYPES = [
  'bool',
  'int32',
  'int64',
  'float32',
  'float64',
  'string',
  'bytes',
  'timestamp',
] as const;

export type ScalarType = (typeof SCALAR_TYPES)[number];
export type ListType<S extends ScalarType = ScalarType> = `list<${S}>`;

/** The type of a column, as it stands in a definition's canonical JSON. */
export type ValueType = ScalarType | ListType;

/** Column name to type, in definition order. */
export type Schema = Readonly<Record<string, ValueType>>;

/**
 * The column types. `int64` is a `bigint` in JavaScript so that no digit is lost; `timestamp` is an instant
 * in UTC with microseconds ({@link Timestamp}).
 */
export const t = {
  bool: 'bool',
  int32: 'int32',
  int64: 'int64',
  float32: 'float32',
  float64: 'float64',
  string: 'string',
  bytes: 'bytes',
  timestamp: 'timestamp',
  /** A list of a scalar type. */
  list: <S extends ScalarType>(item: S): ListType<S> => `list<${item}>`,
} as const;

type ScalarValues = {
  bool: boolean;
  int32: number;
  int64: bigint;
  float32: number;
  float64: number;
  string: string;
  bytes: Uint8Array;
  timestamp: Timestamp;
};

/** The JavaScript value of a column of type `T`, when it is not NULL. */
export type Value<T extends ValueType = ValueType> = T extends ScalarType
  ? ScalarValues[T]
  : T extends ListType<infer S>
    ? readonly ScalarValues[S][]
    : never;

/** A row of a schema. Every column may be NULL. */
export type Row<S extends Schema = Schema> = { readonly [K in keyof S]: Value<S[K]> | null };

/** The schema of a source that is given by its name: any column may be of any type; it is checked when the project is compiled. */
export type AnyColumns = Readonly<Record<string, never>>;

/** The columns of `S` whose type is one of `T`; of a source that is given by its name any text. */
export type ColumnOf<S extends Schema, T extends ValueType = ValueType> = string extends keyof S
  ? string
  : { [K in keyof S]: S[K] extends T ? K : never }[keyof S] & string;

/** What a column may become as a feature or a label: itself, or the narrower type of the same kind. */
export type Narrowed<T extends ValueType> = [T] extends [never]
  ? ValueType
  : T | (T extends 'float64' ? 'float32' : never) | (T extends 'int32' ? 'int64' : never);

const NAMES: ReadonlySet<string> = new Set<string>(SCALAR_TYPES);

/** Whether a text names a type: `int64`, `list<string>`. */
export function isValueType(text: string): text is ValueType {
  return NAMES.has(text.startsWith('list<') && text.endsWith('>') ? text.slice(5, -1) : text);
}

/** The item type of a list, or `undefined` for a scalar. */
export function listItem(type: ValueType): ScalarType | undefined {
  return type.startsWith('list<') ? (type.slice(5, -1) as ScalarType) : undefined;
}

/** Whether a column of type `from` may be declared as a feature of type `to` (float64 -> float32, int32 -> int64). */
export function narrows(from: ValueType, to: ValueType): boolean {
  return from === to || (from === 'float64' && to === 'float32') || (from === 'int32' && to === 'int64');
}
