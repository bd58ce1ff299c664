import { GranaryError } from '../../definitions/errors.js';
import { ruleColumns, type RuleResult, type ValidationRule } from '../../definitions/validation.js';
import type { Schema } from '../../definitions/types.js';

/** Rows that rules are applied to: what messages call them, and their columns. */
export interface CheckedRows {
  readonly name: string;
  readonly schema: Schema;
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** @throws GranaryError `InvalidDefinition` when a rule names a column that is not there or is no number. */
export function checkRule(relation: CheckedRows, rule: ValidationRule): void {
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

/** What a rule says of a count: NULLs, values outside, repeated rows. */
export function judge(rule: ValidationRule, total: number, count: number): RuleResult {
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
