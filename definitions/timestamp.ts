import { GranaryError } from './errors.js';

const ISO =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

const BRAND: unique symbol = Symbol.for('granary.Timestamp');

/** What stands for an instant in a user's input: an ISO-8601 text (without a zone: UTC), a Date, or a Timestamp. */
export type TimestampLike = string | Date | Timestamp;

/**
 * An instant in UTC with microseconds, which a JavaScript `Date` cannot hold. Immutable; compare by `micros`.
 */
export class Timestamp {
  /** Microseconds since 1970-01-01T00:00:00Z; negative before it. */
  readonly micros: bigint;

  /** Also those of another copy of this package: a project file that a command loads has a copy of its own. */
  static [Symbol.hasInstance](value: unknown): value is Timestamp {
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  get [BRAND](): true {
    return true;
  }

  constructor(micros: bigint) {
    this.micros = micros;
  }

  /**
   * Reads a Date, a Timestamp or an ISO-8601 text; a text without a zone is UTC, digits past the microsecond are cut.
   * @throws GranaryError `InvalidInput` when the text is not a date of the calendar.
   */
  static from(value: TimestampLike): Timestamp {
    if (value instanceof Timestamp) return value;
    if (value instanceof Date) {
      const ms = value.getTime();
      if (Number.isNaN(ms)) throw new GranaryError('InvalidInput', 'The date is invalid (NaN).');
      return new Timestamp(BigInt(ms) * 1000n);
    }
    return new Timestamp(parseMicros(value));
  }

  /** The instant as a Date; microseconds are cut towards the past. */
  toDate(): Date {
    return new Date(Number(floorDiv(this.micros, 1000n)));
  }

  /** ISO-8601 in UTC with no more fraction digits than needed: `2001-03-04T00:00:00Z`, `...00.000001Z`. */
  toString(): string {
    const seconds = floorDiv(this.micros, 1_000_000n);
    const fraction = this.micros - seconds * 1_000_000n;
    const head = new Date(Number(seconds) * 1000).toISOString().slice(0, -5);
    const digits = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
    return `${head}${digits}Z`;
  }

  toJSON(): string {
    return this.toString();
  }

  /** This instant moved by a number of microseconds. */
  plus(micros: bigint): Timestamp {
    return new Timestamp(this.micros + micros);
  }
}

function parseMicros(text: string): bigint {
  const bad = (): GranaryError =>
    new GranaryError(
      'InvalidInput',
      `"${text}" is not a timestamp. Write ISO-8601, such as 2001-03-04 or 2001-03-04T05:06:07.123456Z.`,
    );
  const m = ISO.exec(text.trim());
  if (!m) throw bad();
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = m;
  const parts = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(parts[0], parts[1] - 1, parts[2]);
  date.setUTCHours(parts[3], parts[4], parts[5]);
  // A rolled-over field (February 30th, 25:00) shows in the read-back.
  if (
    date.getUTCMonth() !== parts[1] - 1 ||
    date.getUTCDate() !== parts[2] ||
    date.getUTCHours() !== parts[3]
  )
    throw bad();
  if (parts[4] > 59 || parts[5] > 59) throw bad();
  const micros = BigInt(date.getTime()) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
  return micros - zoneMicros(zone);
}

function zoneMicros(zone: string): bigint {
  if (/^z$/i.test(zone)) return 0n;
  const sign = zone.startsWith('-') ? -1n : 1n;
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return sign * (BigInt(digits.slice(0, 2)) * 3600n + BigInt(digits.slice(2)) * 60n) * 1_000_000n;
}

/** Integer division that rounds towards minus infinity (BigInt's own rounds towards zero). */
export function floorDiv(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
}
