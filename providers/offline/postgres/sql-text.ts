import { createHash } from 'node:crypto';

/** Longest name that Postgres keeps whole, in bytes. */
const MAX_BYTES = 63;

/** A name that Postgres keeps whole: itself, or one that ends with a hash of it. */
export function wholeName(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const suffix = `_${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
  let head = name;
  while (Buffer.byteLength(head) + suffix.length > MAX_BYTES) head = head.slice(0, -1);
  return head + suffix;
}

/** A table in SQL: both names quoted. */
export const tableSql = ({ schema, table }: { readonly schema: string; readonly table: string }): string =>
  `"${schema.replaceAll('"', '""')}"."${table.replaceAll('"', '""')}"`;

/** Microseconds since 1970 of an instant, exactly. */
export const microsSql = (value: string): string => `(extract(epoch FROM ${value}) * 1000000)::bigint`;

/** Microseconds as an interval, to the last digit: days of 24 hours and seconds. */
function intervalSql(micros: bigint): string {
  const days = micros / 86_400_000_000n;
  const rest = micros % 86_400_000_000n;
  return `interval '${days} days ${rest / 1_000_000n}.${String(rest % 1_000_000n).padStart(6, '0')} seconds'`;
}

/** More than any two instants are apart that matter; what lies further away leaves the range of Postgres. */
const FAR = 4000n * 366n * 86_400_000_000n;

/** An instant so many microseconds before another. */
export const earlier = (time: string, micros: bigint): string =>
  micros === 0n ? time : micros < FAR ? `(${time} - ${intervalSql(micros)})` : `timestamptz '-infinity'`;

/** An instant so many microseconds after another. */
export const later = (time: string, micros: bigint): string =>
  micros === 0n ? time : micros < FAR ? `(${time} + ${intervalSql(micros)})` : `timestamptz 'infinity'`;
