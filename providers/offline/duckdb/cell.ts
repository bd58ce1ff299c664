import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  FLOAT,
  INTEGER,
  LIST,
  TIMESTAMPTZ,
  VARCHAR,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { GranaryError } from '../../../definitions/errors.js';
import { Timestamp } from '../../../definitions/timestamp.js';
import { listItem, type ScalarType, type ValueType } from '../../../definitions/types.js';

/** A value that its column cannot hold. */
export const MISFIT = Symbol('misfit');

/** Makes an engine's value of a JavaScript value, or says that it does not fit. NULL is handled before. */
export type Cell = (value: unknown) => DuckDBValue | typeof MISFIT;

const APPENDER_TYPES: Readonly<Record<ScalarType, DuckDBType>> = {
  bool: BOOLEAN,
  int32: INTEGER,
  int64: BIGINT,
  float32: FLOAT,
  float64: DOUBLE,
  string: VARCHAR,
  bytes: BLOB,
  timestamp: TIMESTAMPTZ,
};

/** The engine's type object of a column, for its appender. */
export function appenderType(type: ValueType): DuckDBType {
  const item = listItem(type);
  return item === undefined ? APPENDER_TYPES[type as ScalarType] : LIST(APPENDER_TYPES[item]);
}

/** The check and conversion of a column's values. Nothing is rounded, parsed or cut to fit. */
export function cellOf(type: ValueType): Cell {
  const item = listItem(type);
  if (item === undefined) return SCALARS[type as ScalarType];
  const cell = SCALARS[item];
  return (value) => {
    if (!Array.isArray(value)) return MISFIT;
    const items: DuckDBValue[] = [];
    for (const entry of value as readonly unknown[]) {
      const converted = entry === null ? MISFIT : cell(entry);
      if (converted === MISFIT) return MISFIT;
      items.push(converted);
    }
    return new DuckDBListValue(items);
  };
}

/** A column of a batch (see providers/columns.ts) as the appender takes it; its values are of the type already. */
export function engineColumn(values: readonly unknown[], type: ValueType): readonly DuckDBValue[] {
  const item = listItem(type);
  const scalar = item ?? (type as ScalarType);
  const wrap =
    scalar === 'timestamp'
      ? (value: unknown): DuckDBValue => new DuckDBTimestampTZValue(value as bigint)
      : scalar === 'bytes'
        ? (value: unknown): DuckDBValue => new DuckDBBlobValue(value as Uint8Array)
        : undefined;
  if (item !== undefined)
    return values.map((list) =>
      list === null
        ? null
        : new DuckDBListValue(
            (list as readonly unknown[]).map((value) =>
              value === null || !wrap ? (value as DuckDBValue) : wrap(value),
            ),
          ),
    );
  if (!wrap) return values as readonly DuckDBValue[];
  return values.map((value) => (value === null ? null : wrap(value)));
}

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
/** Years 0001 to 9999, as for rows that SQL makes. */
const MICROS = { min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n };

const SCALARS: Readonly<Record<ScalarType, Cell>> = {
  bool: (value) => (typeof value === 'boolean' ? value : MISFIT),
  int32: (value) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    return typeof number === 'number' &&
      Number.isInteger(number) &&
      number >= INT32.min &&
      number <= INT32.max
      ? number + 0
      : MISFIT;
  },
  int64: (value) => {
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    return typeof integer === 'bigint' && integer >= INT64.min && integer <= INT64.max ? integer : MISFIT;
  },
  float32: (value) => {
    if (typeof value !== 'number') return MISFIT;
    const rounded = Math.fround(value);
    return Number.isFinite(value) && !Number.isFinite(rounded) ? MISFIT : rounded;
  },
  float64: (value) => (typeof value === 'number' ? value : MISFIT),
  // A lone surrogate has no UTF-8 form and would be stored as another character.
  string: (value) => (typeof value === 'string' && !/\p{Surrogate}/u.test(value) ? value : MISFIT),
  bytes: (value) => (value instanceof Uint8Array ? new DuckDBBlobValue(value) : MISFIT),
  timestamp: (value) => {
    if (typeof value !== 'string' && !(value instanceof Date) && !(value instanceof Timestamp)) return MISFIT;
    try {
      const { micros } = Timestamp.from(value);
      return micros >= MICROS.min && micros <= MICROS.max ? new DuckDBTimestampTZValue(micros) : MISFIT;
    } catch (error) {
      if (error instanceof GranaryError) return MISFIT;
      throw error;
    }
  },
};

/** What a value is, for a message: `1.5 (number)`, `"abc" (string)`. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `${shortened(JSON.stringify(value))} (string)`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return `${String(value)} (${typeof value})`;
  if (typeof value !== 'object' || value === null) return typeof value;
  if (value instanceof Uint8Array) return `${value.length} bytes (Uint8Array)`;
  if (Array.isArray(value))
    return `${shortened(`[${value.map((item) => String(item)).join(', ')}]`)} (Array)`;
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- "[object Object]" is what a plain object should show
  return `${shortened(String(value))} (${value.constructor.name})`;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
