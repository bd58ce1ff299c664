import type { QueryRequest } from '../provider.js';
import { isFloat } from './column-types.js';

/**
 * Functions whose result does not depend on the order in which rows arrive, for integers, decimals, texts, booleans
 * and timestamps. What is not here (avg, stddev, first, string_agg, arg_max, row_number, ...) may.
 */
const ORDER_FREE = new Set(
  `count count_if countif count_star min max sum bool_and bool_or bit_and bit_or bit_xor approx_count_distinct
  coalesce nullif ifnull greatest least if case cast try_cast abs sign lower upper trim ltrim rtrim length len concat
  substr substring left right replace starts_with ends_with contains split_part strftime strptime md5 sha256 hash
  date_trunc time_bucket date_diff datediff date_sub date_add date_part extract year month day hour minute second
  dayofweek weekday isodow week quarter epoch_us epoch_ms make_timestamp make_timestamptz to_days to_hours
  to_minutes to_seconds rank dense_rank over partition filter within in and or not exists values any all on using
  when then else where having by select from join union as with distinct interval between like is null end except
  intersect recursive materialized`.split(/\s+/),
);

/** Words after which the rows that survive, or their number types, are not fixed by the input alone. */
const ORDER_BOUND =
  /\b(limit|offset|sample|tablesample|fetch|row_number|distinct\s+on|qualify|asof|positional|pivot|unpivot|double|float\d?|real|random|uuid|now|current_\w+)\b|\/|\bdistinct\s*\(|\be[+-]?\d|\d\.?e[+-]?\d/i;

/**
 * Whether the same input gives the same rows on any number of threads. Sums of floating-point numbers depend on the
 * order of addition, and threads take rows in an order of their own: three runs gave three results. The text of a
 * query does not tell its types, so only what is known to be exact counts: no float column among inputs and output,
 * no division (it makes DOUBLE), no float type or exponent, no function outside {@link ORDER_FREE}.
 */
export function threadsDoNotMatter({
  sql,
  inputs,
  output,
}: Pick<QueryRequest, 'sql' | 'inputs' | 'output'>): boolean {
  const schemas = [output.schema, ...Object.values(inputs).map(({ schema }) => schema)];
  if (schemas.some((schema) => Object.values(schema).some(isFloat))) return false;
  const text = withoutTexts(sql);
  if (ORDER_BOUND.test(text)) return false;
  for (const [, name = ''] of text.matchAll(/([A-Za-z_]\w*)\s*\(/g))
    if (!ORDER_FREE.has(name.toLowerCase())) return false;
  return true;
}

/** SQL without its comments, and with string literals and quoted names emptied: what is in them runs nothing. */
function withoutTexts(sql: string): string {
  return sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g, (token) =>
    token.startsWith("'") ? "''" : token.startsWith('"') ? ' x ' : ' ',
  );
}
