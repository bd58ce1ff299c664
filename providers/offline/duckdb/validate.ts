import type { RuleResult, ValidationRule } from '../../../definitions/validation.js';
import type { FileRelation } from '../provider.js';
import { checkRule, judge } from '../rules.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { quoteIdentifier, quoteIdentifiers } from './sql-text.js';

/** Applies rules to a relation's rows: one scan for all but `unique`, which groups the rows once each. */
export async function validateRows(
  c: Connection,
  relation: FileRelation,
  rules: readonly ValidationRule[],
): Promise<readonly RuleResult[]> {
  for (const rule of rules) checkRule(relation, rule);
  await c.run(`CREATE TEMP VIEW __rows AS ${await relationSql(c, relation)}`);
  const scans = rules.map((rule) => scanSql(relation, rule));
  const [total, ...counts] = await c.row(`SELECT ${['count(*)', ...scans].join(', ')} FROM __rows`);
  const results: RuleResult[] = [];
  for (const [i, rule] of rules.entries()) {
    const count = rule.rule === 'unique' ? await repeated(c, rule.columns) : Number(counts[i]);
    results.push(judge(rule, Number(total), count));
  }
  return results;
}

/** What a rule counts in the shared scan. */
function scanSql(relation: FileRelation, rule: ValidationRule): string {
  switch (rule.rule) {
    case 'notNull':
    case 'maxNullRate':
      return `count(*) FILTER (WHERE ${quoteIdentifier(rule.column)} IS NULL)`;
    case 'range': {
      const integer = relation.schema[rule.column]?.startsWith('int') ?? false;
      const column = quoteIdentifier(rule.column);
      // NaN is greatest in DuckDB's order, so without a max it would pass.
      const outside = integer ? [] : [`isnan(${column})`];
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

const INT64_LIMIT = 2 ** 63;

/** Integers are compared as integers: above 2^53 a DOUBLE would merge neighbours. */
function bound(value: number, integer: boolean, round: (value: number) => number): string {
  if (!integer) return Number.isFinite(value) ? `${value}::DOUBLE` : `'${value}'::DOUBLE`;
  const held = Math.max(-INT64_LIMIT * 2, Math.min(INT64_LIMIT * 2, round(value)));
  return `${BigInt(held)}::HUGEINT`;
}

/** Rows beyond the first of their group; NULL equals NULL here. */
async function repeated(c: Connection, columns: readonly string[]): Promise<number> {
  const [count] = await c.row(
    `SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM __rows GROUP BY ${quoteIdentifiers(columns)} HAVING count(*) > 1)`,
  );
  return Number(count);
}
