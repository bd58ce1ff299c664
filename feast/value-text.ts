import { listItem, type ValueType } from '../definitions/types.js';

/** Types whose values Feast's SQL stores write a second time as text, into `value_text`. */
const WITH_TEXT: ReadonlySet<ValueType> = new Set(['string', 'int32', 'int64', 'float32', 'float64', 'bool']);

/** Whether Feast's SQL stores keep a text beside values of this type. */
export function hasText(type: ValueType): boolean {
  return listItem(type) === undefined && WITH_TEXT.has(type);
}

/**
 * What Feast's SQL stores write into `value_text` for a value, for text search and filters: a string itself, a number or a bool as
 * Python prints it; null for NULL and for every other type. A string with U+0000 has none: Postgres holds no such text, and
 * Feast's own writer fails on it.
 */
export function valueText(type: ValueType, value: unknown): string | null {
  if (value === null || value === undefined || !hasText(type)) return null;
  if (typeof value === 'string') return value.includes('\0') ? null : value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'number' || Number.isNaN(value)) return null;
  if (type === 'float32') return pythonFloat(Math.fround(value));
  return type === 'float64' ? pythonFloat(value) : String(value);
}

/** `str(x)` of a Python float: the shortest digits, as in JavaScript, with an exponent from 1e16 on and below 1e-4. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4))
    return value
      .toExponential()
      .replace(/e([+-])(\d)$/, (_, sign: string, digit: string) => `e${sign}0${digit}`);
  const sign = Object.is(value, -0) ? '-' : '';
  return Number.isInteger(value) ? `${sign}${value}.0` : String(value);
}
