import { Timestamp } from '../definitions/timestamp.js';
import { listItem, type ScalarType, type Schema, type ValueType } from '../definitions/types.js';

/**
 * A value of a test file as the engine takes it, by its column's type: 64-bit integers from numbers or texts, `"NaN"` and `"Infinity"` for floats,
 * bytes from base64. What does not fit is handed on as it is; the engine's own check then names column and value.
 */
export function fromJson(value: unknown, type: ValueType): unknown {
  if (value === null || value === undefined) return null;
  const item = listItem(type);
  if (item !== undefined)
    return Array.isArray(value) ? value.map((entry: unknown) => fromJson(entry, item)) : value;
  if (typeof value === 'string') return fromText(value, type as ScalarType);
  // A longer number has lost digits already when JSON was parsed.
  if (type === 'int64' && typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return value;
}

/** As {@link fromJson}, of a cell of a CSV file; a list is written as JSON. */
export function fromCell(cell: string | null, type: ValueType): unknown {
  if (cell === null) return null;
  if (listItem(type) !== undefined && cell.startsWith('['))
    try {
      return fromJson(JSON.parse(cell), type);
    } catch {
      return cell;
    }
  if (type === 'bool' && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  if (/^(int32|float32|float64)$/.test(type) && cell.trim() !== '' && !Number.isNaN(Number(cell)))
    return Number(cell);
  return fromJson(cell, type);
}

function fromText(text: string, type: ScalarType): unknown {
  if (type === 'int64' && /^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
  if ((type === 'float32' || type === 'float64') && /^(NaN|[+-]?Infinity)$/.test(text)) return Number(text);
  if (type === 'bytes') return new Uint8Array(Buffer.from(text, 'base64'));
  return text;
}

/** A value that a run gave, as JSON that {@link fromJson} reads back without loss. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Timestamp) return value.toString();
  if (Array.isArray(value)) return value.map(toJson);
  return value ?? null;
}

/** A row with its values in JSON, the columns in the schema's order. */
export const rowToJson = (row: Readonly<Record<string, unknown>>, schema: Schema): Record<string, unknown> =>
  Object.fromEntries(Object.keys(schema).map((column) => [column, toJson(row[column])]));

/** Digits that two floats must share, relative to the larger one: a person writes 10.35 for 10.350000000000001. */
const TOLERANCE = { float32: 1e-6, float64: 1e-9 } as const;

/** Whether two values of a type are the same; floats may differ in their last digits. */
export function same(a: unknown, b: unknown, type: ValueType): boolean {
  if (a === null || b === null) return a === b;
  const item = listItem(type);
  if (item !== undefined)
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((entry: unknown, at) => same(entry, b[at], item))
    );
  if (type === 'timestamp') return micros(a) === micros(b);
  if (type === 'bytes')
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (type === 'float32' || type === 'float64') return near(a, b, TOLERANCE[type]);
  if (type === 'int32') return Number(a) === Number(b);
  return a === b;
}

function near(a: unknown, b: unknown, tolerance: number): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return false;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Object.is(a, b);
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/** Undefined for what is no instant. */
function micros(value: unknown): bigint | undefined {
  if (value instanceof Timestamp) return value.micros;
  try {
    return Timestamp.from(value as string).micros;
  } catch {
    return undefined;
  }
}
