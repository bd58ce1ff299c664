import { GranaryError } from './errors.js';

/** A rule over the rows of one version. A rule that fails stops publication: the previous version stays. */
export type ValidationRule<C extends string = string> =
  | { readonly rule: 'notNull'; readonly column: C }
  | { readonly rule: 'maxNullRate'; readonly column: C; readonly rate: number }
  | { readonly rule: 'range'; readonly column: C; readonly min?: number; readonly max?: number }
  | { readonly rule: 'unique'; readonly columns: readonly C[] }
  | { readonly rule: 'rowCount'; readonly min?: number; readonly max?: number };

/** What a rule found: `observed` is the number that it compares (NULLs, rate, rows outside, duplicates, rows). */
export interface RuleResult {
  readonly rule: ValidationRule;
  readonly passed: boolean;
  readonly observed: number;
  /** One sentence for people: `f_mean_delay: 3 of 229 rows are outside [-60, 600]`. */
  readonly message: string;
}

/** No NULL in a column. */
export const notNull = <C extends string>(column: C): ValidationRule<C> => ({ rule: 'notNull', column });

/** At most `rate` (0 to 1) of a column's values are NULL. */
export function maxNullRate<C extends string>(column: C, rate: number): ValidationRule<C> {
  if (!(rate >= 0 && rate <= 1))
    throw new GranaryError(
      'InvalidDefinition',
      `maxNullRate('${column}', ${rate}): the rate must be between 0 and 1.`,
    );
  return { rule: 'maxNullRate', column, rate };
}

/** Every value that is not NULL lies in `[min, max]`, both ends included; NaN lies outside. */
export function range<C extends string>(
  column: C,
  bounds: { readonly min?: number; readonly max?: number },
): ValidationRule<C> {
  return { rule: 'range', column, ...needBound(`range('${column}')`, bounds) };
}

/** No two rows agree in all of these columns. */
export const unique = <C extends string>(...columns: readonly C[]): ValidationRule<C> => ({
  rule: 'unique',
  columns,
});

/** The version has at least `min` and at most `max` rows. */
export function rowCount(bounds: { readonly min?: number; readonly max?: number }): ValidationRule<never> {
  return { rule: 'rowCount', ...needBound('rowCount', bounds) };
}

function needBound<B extends { readonly min?: number; readonly max?: number }>(what: string, bounds: B): B {
  const { min = -Infinity, max = Infinity } = bounds;
  if (bounds.min === undefined && bounds.max === undefined)
    throw new GranaryError('InvalidDefinition', `${what} needs a min or a max.`);
  if (!(min <= max)) throw new GranaryError('InvalidDefinition', `${what}: min ${min} is above max ${max}.`);
  return bounds;
}

/** The columns that a rule names. */
export function ruleColumns(rule: ValidationRule): readonly string[] {
  switch (rule.rule) {
    case 'unique':
      return rule.columns;
    case 'rowCount':
      return [];
    case 'notNull':
    case 'maxNullRate':
    case 'range':
      return [rule.column];
  }
}
