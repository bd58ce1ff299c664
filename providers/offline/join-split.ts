import { Timestamp } from '../../definitions/timestamp.js';
import type { ScalarType } from '../../definitions/types.js';
import type { RowSplit } from './provider.js';

/** How an engine says what a split needs. */
export interface SplitSql {
  readonly instant: (micros: bigint) => string;
  /** A column's value as text: decimal integers, bytes as lower hex, timestamps as microseconds. */
  readonly text: (column: string, type: ScalarType) => string;
  /** How many bytes a text has in UTF-8. */
  readonly bytes: (text: string) => string;
  /** The first 8 hex digits of the MD5 of a text in UTF-8, as a number. */
  readonly hash: (text: string) => string;
}

/**
 * The part that a row belongs to, as {@link RowSplit} says.
 * @param column where the labels' columns are
 * @param time the label's time, there
 */
export function splitSql(
  split: RowSplit,
  column: (name: string) => string,
  time: string | undefined,
  sql: SplitSql,
): string {
  if (split.by === 'time') {
    const at = (instant: string): string => sql.instant(Timestamp.from(instant).micros);
    const t = time ?? 'NULL';
    const validation =
      split.validation === undefined ? '' : ` WHEN ${t} >= ${at(split.validation)} THEN 'validation'`;
    return `CASE WHEN ${t} IS NULL THEN NULL WHEN ${t} >= ${at(split.test)} THEN 'test'${validation} ELSE 'train' END`;
  }
  const seed = `'${`${Buffer.byteLength(split.seed)}:${split.seed}`.replaceAll("'", "''")}'`;
  const keys = split.keys.map(({ column: name, type }) => {
    const text = sql.text(column(name), type);
    return `coalesce(CAST(${sql.bytes(text)} AS VARCHAR) || ':' || ${text}, 'NULL')`;
  });
  const { test, validation = 0 } = split;
  // Of whole numbers those below a share of 2^32 are those below the next whole number.
  const below = (share: number): string => String(Math.ceil(share * 2 ** 32));
  const hash = sql.hash([seed, ...keys].join(' || '));
  return `CASE WHEN ${hash} < ${below(test)} THEN 'test' WHEN ${hash} < ${below(test + validation)} THEN 'validation' ELSE 'train' END`;
}
