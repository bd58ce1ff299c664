import { GranaryError } from '../../../definitions/errors.js';
import { ruleColumns, type RuleResult, type ValidationRule } from '../../../definitions/validation.js';
import type { FileRelation } from '../provider.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { quoteIdentifier, quoteIdentifiers, quoted } from './sql-text.js';

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

function checkRule(relation: FileRelation, rule: ValidationRule): void {
  const unknown = ruleColumns(rule).filter((column) => relation.schema[column] === undefined);
  if (unknown.length > 0 || (rule.rule === 'unique' && rule.columns.length === 0))
    throw new GranaryError(
      'InvalidDefinition',
      `The rule ${rule.rule} of ${relation.name} names ${unknown.length > 0 ? `the column ${quoted(unknown)}, which is not declared` : 'no column'}. Declared are ${quoted(Object.keys(relation.schema))}.`,
    );
  if (rule.rule !== 'range') return;
  const type = relation.schema[rule.column] ?? '';
  if (!/^(int|float)(32|64)$/.test(type))
    throw new GranaryError(
      'InvalidDefinition',
      `The rule range('${rule.column}') of ${relation.name} needs a number column; "${rule.column}" is ${type}.`,
    );
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

function judge(rule: ValidationRule, total: number, count: number): RuleResult {
  switch (rule.rule) {
    case 'notNull':
      return {
        rule,
        passed: count === 0,
        observed: count,
        message: `${rule.column}: ${of(count, total)} NULL`,
      };
    case 'maxNullRate': {
      const rate = total === 0 ? 0 : count / total;
      return {
        rule,
        passed: rate <= rule.rate,
        observed: rate,
        message: `${rule.column}: ${of(count, total)} NULL, a rate of ${rate} (at most ${rule.rate})`,
      };
    }
    case 'range':
      return {
        rule,
        passed: count === 0,
        observed: count,
        message: `${rule.column}: ${of(count, total)} outside ${span(rule.min, rule.max)}`,
      };
    case 'unique':
      return {
        rule,
        passed: count === 0,
        observed: count,
        message: `${rule.columns.join(', ')}: ${of(count, total)} ${count === 1 ? 'a duplicate' : 'duplicates'}`,
      };
    case 'rowCount':
      return {
        rule,
        passed: total >= (rule.min ?? -Infinity) && total <= (rule.max ?? Infinity),
        observed: total,
        message: `${total} ${total === 1 ? 'row' : 'rows'}, expected within ${span(rule.min, rule.max)}`,
      };
  }
}

function of(count: number, total: number): string {
  return `${count} of ${total} ${total === 1 ? 'row' : 'rows'} ${count === 1 ? 'is' : 'are'}`;
}

function span(min: number | undefined, max: number | undefined): string {
  return `${min === undefined ? '(-inf' : `[${min}`}, ${max === undefined ? 'inf)' : `${max}]`}`;
}
