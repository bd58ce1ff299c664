import { GranaryError } from '../../definitions/errors.js';
import { quoteName } from '../../definitions/sql.js';
import type { Schema } from '../../definitions/types.js';
import { ruleColumns, type RowRule, type RuleResult } from '../../definitions/validation.js';
import type { CheckingEngine } from './rows-check.js';
import { isNumber, quoted } from './shape.js';

/** Rows that rules are applied to: what messages call them, and their columns. */
export interface CheckedRows {
  readonly name: string;
  readonly schema: Schema;
}

/** Applies rules to the rows of a table or a view, given as SQL: one scan for all but `unique`, which groups the rows once each. */
export async function applyRules(
  c: CheckingEngine,
  table: string,
  rows: CheckedRows,
  rules: readonly RowRule[],
): Promise<readonly RuleResult[]> {
  for (const rule of rules) checkRule(rows, rule);
  const scans = rules.map((rule) => scanSql(rows, rule));
  const [total, ...counts] = await c.row(`SELECT ${['count(*)', ...scans].join(', ')} FROM ${table}`);
  const results: RuleResult[] = [];
  for (const [i, rule] of rules.entries()) {
    const count = rule.rule === 'unique' ? await repeated(c, table, rule.columns) : Number(counts[i]);
    results.push(judge(rule, Number(total), count));
  }
  return results;
}

/** @throws GranaryError `InvalidDefinition` when a rule names a column that is not there or is no number. */
function checkRule({ name, schema }: CheckedRows, rule: RowRule): void {
  const unknown = ruleColumns(rule).filter((column) => schema[column] === undefined);
  if (unknown.length > 0 || (rule.rule === 'unique' && rule.columns.length === 0))
    throw new GranaryError(
      'InvalidDefinition',
      `The rule ${rule.rule} of ${name} names ${unknown.length > 0 ? `the column ${quoted(unknown)}, which is not declared` : 'no column'}. Declared are ${quoted(Object.keys(schema))}.`,
    );
  if (rule.rule !== 'range') return;
  const type = schema[rule.column];
  if (type === undefined || !isNumber(type))
    throw new GranaryError(
      'InvalidDefinition',
      `The rule range('${rule.column}') of ${name} needs a number column; "${rule.column}" is ${type ?? 'not declared'}.`,
    );
}

/** What a rule counts in the shared scan. */
function scanSql({ schema }: CheckedRows, rule: RowRule): string {
  switch (rule.rule) {
    case 'notNull':
    case 'maxNullRate':
      return `count(*) FILTER (WHERE ${quoteName(rule.column)} IS NULL)`;
    case 'range': {
      const integer = schema[rule.column]?.startsWith('int') ?? false;
      const column = quoteName(rule.column);
      // NaN is greatest in the engines' order, so without a max it would pass.
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

/** Beyond every int64. */
const LIMIT = 2 ** 64;

/** Integers are compared as integers: above 2^53 a float would merge neighbours. */
function bound(value: number, integer: boolean, round: (value: number) => number): string {
  if (!integer) return `'${value}'::float8`;
  return String(BigInt(Math.max(-LIMIT, Math.min(LIMIT, round(value)))));
}

/** Rows beyond the first of their group; NULL equals NULL here. */
async function repeated(c: CheckingEngine, table: string, columns: readonly string[]): Promise<number> {
  const [count] = await c.row(
    `SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ${table} GROUP BY ${columns.map(quoteName).join(', ')} HAVING count(*) > 1) g`,
  );
  return Number(count);
}

/** What a rule says of a count: NULLs, values outside, repeated rows. */
function judge(rule: RowRule, total: number, count: number): RuleResult {
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
        message: `${rule.column}: ${of(count, total)} outside ${span(rule)}`,
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
        message: `${total} ${total === 1 ? 'row' : 'rows'}, expected within ${span(rule)}`,
      };
  }
}

function of(count: number, total: number): string {
  return `${count} of ${total} ${total === 1 ? 'row' : 'rows'} ${count === 1 ? 'is' : 'are'}`;
}

/** `[0.5, inf)`. */
export function span({ min, max }: { readonly min?: number; readonly max?: number }): string {
  return `${min === undefined ? '(-inf' : `[${min}`}, ${max === undefined ? 'inf)' : `${max}]`}`;
}
