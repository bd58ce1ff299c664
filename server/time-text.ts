const MEMORY = 4096;
/** Whole seconds as text: rows of one load share their times. */
const known = new Map<number, string>();

export const EPOCH_TEXT = '"1970-01-01T00:00:00Z"';

/** An instant as JSON text, and in microseconds since the epoch. */
export interface StoredTime {
  readonly text: string;
  readonly micros: number;
}

/** Reads a stored `google.protobuf.Timestamp`: RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second. Bytes that are none read as the epoch. */
export function storedTime(bytes: Buffer, from: number, to: number): StoredTime {
  let seconds = 0;
  let nanos = 0;
  let at = from;
  while (at < to) {
    const tag = bytes[at++];
    const start = at;
    while (at < to && (bytes[at] ?? 0) > 0x7f) at++;
    at++;
    const value = varint(bytes, start, at);
    if (tag === 0x08) seconds = value;
    else if (tag === 0x10) nanos = value;
  }
  return { text: timeText(seconds, nanos), micros: seconds * 1e6 + Math.floor(nanos / 1000) };
}

function varint(bytes: Buffer, from: number, to: number): number {
  if (to - from <= 7) {
    let value = 0;
    for (let i = to - 1; i >= from; i--) value = value * 128 + ((bytes[i] ?? 0) & 0x7f);
    return value;
  }
  let value = 0n;
  for (let i = to - 1; i >= from; i--) value = (value << 7n) | BigInt((bytes[i] ?? 0) & 0x7f);
  return Number(BigInt.asIntN(64, value));
}

function timeText(seconds: number, nanos: number): string {
  let base = known.get(seconds);
  if (base === undefined) {
    const date = new Date(seconds * 1000);
    if (Number.isNaN(date.getTime())) return EPOCH_TEXT;
    base = `"${date.toISOString().slice(0, -5)}`;
    if (known.size >= MEMORY) known.clear();
    known.set(seconds, base);
  }
  if (nanos === 0) return `${base}Z"`;
  const digits = String(nanos).padStart(9, '0');
  const shown = nanos % 1_000_000 === 0 ? 3 : nanos % 1000 === 0 ? 6 : 9;
  return `${base}.${digits.slice(0, shown)}Z"`;
}
