import { quoteName } from '../../../definitions/sql.js';
import type { RuleResult, ValidationRule } from '../../../definitions/validation.js';
import { checkRule, judge, type CheckedRows } from '../rules.js';
import type { Connection } from './connection.js';

/** Applies rules to a table's rows: one scan for all but `unique`, which groups the rows once each. */
export async function validateRows(
  c: Connection,
  table: string,
  rows: CheckedRows,
  rules: readonly ValidationRule[],
): Promise<readonly RuleResult[]> {
  for (const rule of rules) checkRule(rows, rule);
  const [total, ...counts] = await c.row(
    `SELECT ${['count(*)', ...rules.map((rule) => countSql(rows, rule))].join(', ')} FROM ${table}`,
  );
  const results: RuleResult[] = [];
  for (const [i, rule] of rules.entries()) {
    const count = rule.rule === 'unique' ? await repeated(c, table, rule.columns) : Number(counts[i]);
    results.push(judge(rule, Number(total), count));
  }
  return results;
}

/** What a rule counts in the shared scan. */
function countSql({ schema }: CheckedRows, rule: ValidationRule): string {
  switch (rule.rule) {
    case 'notNull':
    case 'maxNullRate':
      return `count(*) FILTER (WHERE ${quoteName(rule.column)} IS NULL)`;
    case 'range': {
      const integer = schema[rule.column]?.startsWith('int') ?? false;
      const column = quoteName(rule.column);
      // NaN is greatest in Postgres's order, so without a max it would pass.
      const outside = integer ? [] : [`${column} = 'NaN'`];
      if (rule.min !== undefined && rule.min !== -Infinity)
        outside.push(`${column} < ${bound(rule.min, integer, Math.ceil)}`);
      if (rule.max !== undefined && rule.max !== Infinity)
        outside.push(`${column} > ${bound(rule.max, integer, Math.floor)}`);
      return `count(*) FILTER (WHERE ${outside.length > 0 ? outside.join(' OR ') : 'false'})`;
    }
    case 'unique':
    case 'rowCount':
      return 'NULL';
  }
}

/** Integers are compared as integers: above 2^53 a float would merge neighbours. */
function bound(value: number, integer: boolean, round: (value: number) => number): string {
  if (!integer) return `'${value}'::float8`;
  const rounded = round(value);
  return Number.isFinite(rounded) ? `${BigInt(rounded)}::numeric` : `'${rounded}'::float8`;
}

/** Rows beyond the first of their group; NULL equals NULL here. */
async function repeated(c: Connection, table: string, columns: readonly string[]): Promise<number> {
  const [count] = await c.row(
    `SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ${table} GROUP BY ${columns.map(quoteName).join(', ')} HAVING count(*) > 1) g`,
  );
  return Number(count);
}
