import { NOT_A_TIME } from '../feast/timestamp.js';

const NO_TIME = String(NOT_A_TIME);
const TIMESTAMP = 8;
const LENGTH = 2;
const LISTS = 10;

/**
 * The JSON text of a stored `feast.types.Value` in `bytes[from, to)`: `null` for no bytes; undefined for what is no such value, or of a type that
 * Granary's definitions cannot have. Doubles have a decimal point or an exponent, since Feast's client tells types by the text; int64 has all its
 * digits; NaN and infinities are texts, `bytes` base64, timestamps whole seconds, and null
 * where Feast's stand-in for none is stored.
 */
export function valueText(bytes: Buffer, from: number, to: number): string | undefined {
  if (from === to) return 'null';
  const tag = bytes[from] ?? 0;
  // The usual: one scalar field, whose tag is one byte.
  switch (tag) {
    case 0x18:
    case 0x20:
      return varintText(bytes, from + 1, to);
    case 0x29:
      return to - from === 9 ? doubleText(bytes.readDoubleLE(from + 1)) : undefined;
    case 0x35:
      return to - from === 5 ? doubleText(bytes.readFloatLE(from + 1)) : undefined;
    case 0x38:
      return to - from === 2 ? (bytes[from + 1] === 0 ? 'false' : 'true') : undefined;
    case 0x40: {
      const text = varintText(bytes, from + 1, to);
      return text === NO_TIME ? 'null' : text;
    }
    default:
      return lengthDelimited(bytes, from, to);
  }
}

function lengthDelimited(bytes: Buffer, from: number, to: number): string | undefined {
  const cursor: Cursor = { at: from };
  const tag = smallVarint(bytes, cursor, to);
  if (tag === 19 << 3) return cursor.at + 1 === to ? 'null' : undefined;
  const size = smallVarint(bytes, cursor, to);
  if ((tag & 7) !== LENGTH || cursor.at + size !== to) return undefined;
  const field = tag >>> 3;
  if (field <= LENGTH) return blobText(field, bytes, cursor.at, to);
  return field > LISTS && field <= LISTS + 8 ? listText(field - LISTS, bytes, cursor.at, to) : undefined;
}

/** Text or `bytes`, by the number of the field. */
const blobText = (field: number, bytes: Buffer, from: number, to: number): string =>
  field === 1 ? `"${bytes.toString('base64', from, to)}"` : JSON.stringify(bytes.toString('utf8', from, to));

/** A list's items by the field number of its scalar; numbers may come packed or one by one. */
function listText(field: number, bytes: Buffer, from: number, to: number): string | undefined {
  const items: string[] = [];
  const cursor: Cursor = { at: from };
  const wire = field <= 2 ? LENGTH : field === 5 ? 1 : field === 6 ? 5 : 0;
  while (cursor.at < to) {
    const tag = smallVarint(bytes, cursor, to);
    if (tag === 0x0a) {
      const size = smallVarint(bytes, cursor, to);
      const end = cursor.at + size;
      if (size < 0 || end > to) return undefined;
      if (wire === LENGTH) {
        items.push(blobText(field, bytes, cursor.at, end));
        cursor.at = end;
      } else if (!pushNumbers(items, field, bytes, cursor, end)) return undefined;
    } else if (tag !== (8 | wire) || !pushNumbers(items, field, bytes, cursor, to, 1)) return undefined;
  }
  return `[${items.join(',')}]`;
}

function pushNumbers(
  items: string[],
  field: number,
  bytes: Buffer,
  cursor: Cursor,
  end: number,
  most = Infinity,
): boolean {
  for (let count = 0; cursor.at < end && count < most; count++) {
    if (field === 5 || field === 6) {
      const size = field === 5 ? 8 : 4;
      if (cursor.at + size > end) return false;
      items.push(doubleText(size === 8 ? bytes.readDoubleLE(cursor.at) : bytes.readFloatLE(cursor.at)));
      cursor.at += size;
    } else {
      const start = cursor.at;
      while (cursor.at < end && (bytes[cursor.at] ?? 0) > 0x7f) cursor.at++;
      const text = varintText(bytes, start, ++cursor.at);
      if (text === undefined || cursor.at > end) return false;
      if (field === 7) items.push(text === '0' ? 'false' : 'true');
      else items.push(field === TIMESTAMP && text === NO_TIME ? 'null' : text);
    }
  }
  return true;
}

/** A number in JSON that reads back as a floating-point one. */
export function doubleText(value: number): string {
  if (Number.isInteger(value)) {
    if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
    const text = String(value);
    return text.includes('e') ? text : `${text}.0`;
  }
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

/** A signed 64-bit varint that fills `bytes[from, to)`. */
function varintText(bytes: Buffer, from: number, to: number): string | undefined {
  const size = to - from;
  if (size < 1 || size > 10 || (bytes[to - 1] ?? 0x80) > 0x7f) return undefined;
  if (size <= 7) {
    let value = 0;
    for (let i = to - 1; i >= from; i--) {
      const byte = bytes[i] ?? 0;
      if (i < to - 1 && byte < 0x80) return undefined;
      value = value * 128 + (byte & 0x7f);
    }
    return String(value);
  }
  let value = 0n;
  for (let i = to - 1; i >= from; i--) value = (value << 7n) | BigInt((bytes[i] ?? 0) & 0x7f);
  return String(BigInt.asIntN(64, value));
}

interface Cursor {
  at: number;
}

/** A tag or a length; -1 where there is none. */
function smallVarint(bytes: Buffer, cursor: Cursor, to: number): number {
  let value = 0;
  for (let shift = 0; shift < 32 && cursor.at < to; shift += 7) {
    const byte = bytes[cursor.at++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  return -1;
}
