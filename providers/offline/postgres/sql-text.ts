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
