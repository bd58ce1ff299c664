import { GranaryError } from '../definitions/errors.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { ScalarType } from '../definitions/types.js';
import { secondsOf } from '../feast/timestamp.js';

const INTEGER = /^\s*[+-]?\d{1,20}\s*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** One column of join key values: as keys are serialized, and as JSON. */
export interface KeyColumn {
  readonly values: readonly unknown[];
  readonly text: string;
}

/**
 * The values of a join key as they came in JSON, turned into its type as Feast turns them: a text of digits is an integer, an integer a text.
 * @throws GranaryError `InvalidInput` with the column, the place and the type.
 */
export function keyColumn(column: string, type: ScalarType, given: readonly unknown[]): KeyColumn {
  const values: unknown[] = [];
  const texts: string[] = [];
  const convert = CONVERSIONS[type];
  for (const [i, value] of given.entries()) {
    const key = convert(value);
    if (!key) throw misfit(column, type, value, i);
    values.push(key.value);
    texts.push(key.text);
  }
  return { values, text: texts.join(',') };
}

/** One such value; undefined where it is none of the type. */
export const keyValue = (type: ScalarType, given: unknown): unknown => CONVERSIONS[type](given)?.value;

/** A join key's value as JSON, as the answers repeat it. */
export function keyText(type: ScalarType, value: unknown): string {
  if (type === 'timestamp') return String(secondsOf(value as bigint));
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** How a join key of a type is written. */
export const keyExample = (type: ScalarType): string => EXAMPLES[type] ?? type;

interface Key {
  readonly value: unknown;
  readonly text: string;
}

const integer = (bits: 32 | 64) => {
  const limit = 2n ** BigInt(bits - 1);
  return (given: unknown): Key | undefined => {
    if (typeof given === 'number') {
      if (!Number.isSafeInteger(given)) return undefined;
      if (bits === 32) return (given | 0) === given ? { value: given, text: String(given) } : undefined;
      return { value: given, text: String(given) };
    }
    if (typeof given !== 'bigint' && !(typeof given === 'string' && INTEGER.test(given))) return undefined;
    const exact = typeof given === 'bigint' ? given : BigInt(given.trim().replace(/^\+/, ''));
    if (exact < -limit || exact >= limit) return undefined;
    return { value: bits === 32 ? Number(exact) : exact, text: String(exact) };
  };
};

const none = (): undefined => undefined;

const CONVERSIONS: Record<ScalarType, (given: unknown) => Key | undefined> = {
  int32: integer(32),
  int64: integer(64),
  string(given) {
    if (typeof given === 'string') return { value: given, text: JSON.stringify(given) };
    const isInteger = typeof given === 'bigint' || Number.isSafeInteger(given);
    return isInteger ? { value: String(given), text: `"${String(given)}"` } : undefined;
  },
  bytes(given) {
    if (typeof given !== 'string' || given.length % 4 !== 0 || !BASE64.test(given)) return undefined;
    return { value: new Uint8Array(Buffer.from(given, 'base64')), text: `"${given}"` };
  },
  timestamp(given) {
    const micros = microsOf(given);
    return micros === undefined ? undefined : { value: micros, text: String(secondsOf(micros)) };
  },
  // No join key can have these types.
  ...{ bool: none, float32: none, float64: none },
};

/** Whole seconds since the epoch, or ISO-8601. */
function microsOf(given: unknown): bigint | undefined {
  if (Number.isSafeInteger(given)) return checked(BigInt(given as number) * 1_000_000n);
  if (typeof given !== 'string') return undefined;
  try {
    return Timestamp.from(given).micros;
  } catch {
    return undefined;
  }
}

const checked = (micros: bigint): bigint | undefined =>
  BigInt.asIntN(64, micros) === micros ? micros : undefined;

const EXAMPLES: Partial<Record<ScalarType, string>> = {
  int64: '1001 or "1001"',
  int32: '42 or "42"',
  string: '"C1214240"',
  bytes: '"AP8Q", base64',
  timestamp: '"2026-01-31T10:00:00Z" or seconds since the epoch',
};

function misfit(column: string, type: ScalarType, value: unknown, i: number): GranaryError {
  const shown = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  const text =
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string'
      ? ` (${String(value).slice(0, 40)})`
      : '';
  return new GranaryError(
    'InvalidInput',
    `"entities": the column "${column}" is ${type}, but its value ${i + 1} is ${shown}${text}. Write ${keyExample(type)}.`,
  );
}
