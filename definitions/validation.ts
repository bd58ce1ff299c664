import { GranaryError } from './errors.js';
import { durationMicros } from './interval.js';

/** What happens when a rule does not hold: by default the version is not published; `warn` only notes it. */
interface Severity {
  readonly severity?: 'warn';
}

/** A rule that is judged by the rows of a version alone. */
export type RowRule<C extends string = string> = Severity &
  (
    | { readonly rule: 'notNull'; readonly column: C }
    | { readonly rule: 'maxNullRate'; readonly column: C; readonly rate: number }
    | { readonly rule: 'range'; readonly column: C; readonly min?: number; readonly max?: number }
    | { readonly rule: 'unique'; readonly columns: readonly C[] }
    | { readonly rule: 'rowCount'; readonly min?: number; readonly max?: number }
  );

/** A rule that holds a version against the one before it, its inputs, or the time. */
export type VersionRule = Severity &
  (
    | { readonly rule: 'rowCountChange'; readonly min?: number; readonly max?: number }
    | { readonly rule: 'noSchemaDrift' }
    | { readonly rule: 'freshness'; readonly within: string }
  );

/** A rule over one version. One that fails stops publication, and the version before stays; see {@link warn}. */
export type ValidationRule<C extends string = string> = RowRule<C> | VersionRule;

/**
 * What a rule found: `observed` is the number that it compares (NULLs, rate, rows outside, duplicates, rows, ratio of rows, columns that changed,
 * age in seconds).
 */
export interface RuleResult<R extends ValidationRule = ValidationRule> {
  readonly rule: R;
  readonly passed: boolean;
  readonly observed: number;
  /** One sentence for people: `f_mean_delay: 3 of 229 rows are outside [-60, 600]`. */
  readonly message: string;
}

/** No NULL in a column. */
export const notNull = <C extends string>(column: C): RowRule<C> => ({ rule: 'notNull', column });

/** At most `rate` (0 to 1) of a column's values are NULL. */
export function maxNullRate<C extends string>(column: C, rate: number): RowRule<C> {
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
): RowRule<C> {
  return { rule: 'range', column, ...needBound(`range('${column}')`, bounds) };
}

/** No two rows agree in all of these columns. */
export const unique = <C extends string>(...columns: readonly C[]): RowRule<C> => ({
  rule: 'unique',
  columns,
});

/** The version has at least `min` and at most `max` rows. */
export function rowCount(bounds: { readonly min?: number; readonly max?: number }): RowRule<never> {
  return { rule: 'rowCount', ...needBound('rowCount', bounds) };
}

/**
 * The version has at least `min` and at most `max` times the rows of the one before: of the interval before it or, where there is none, of the
 * same interval as it was. `rowCountChange({ min: 0.5, max: 2 })`. The first version passes, and any after one without rows.
 */
export function rowCountChange(bounds: { readonly min?: number; readonly max?: number }): VersionRule {
  const { min = 0, max = Infinity } = needBound('rowCountChange', bounds);
  if (min < 0 || max < 0)
    throw new GranaryError(
      'InvalidDefinition',
      `rowCountChange: min and max are ratios, such as { min: 0.5, max: 2 }; ${Math.min(min, max)} is below 0.`,
    );
  return { rule: 'rowCountChange', ...bounds };
}

/**
 * The files and tables that the version is made from have the columns and types that they had for the version before; also columns that are not
 * declared. The first version passes.
 */
export const noSchemaDrift = (): VersionRule => ({ rule: 'noSchemaDrift' });

/**
 * The greatest event time is at most so long before the interval's end; of all of time before the run's start. `freshness('2d')`. Needs a
 * timestamp field; a training set carries its own by `include: ['timestamp']`. Without rows nothing is fresh.
 * @throws GranaryError `InvalidDefinition` when the text is no duration.
 */
export function freshness(within: string): VersionRule {
  durationMicros(within);
  return { rule: 'freshness', within };
}

/** The same rule, as a warning: that it does not hold is noted and told, and the version is published all the same. */
export const warn = <R extends ValidationRule>(rule: R): R & { readonly severity: 'warn' } => ({
  ...rule,
  severity: 'warn',
});

function needBound<B extends { readonly min?: number; readonly max?: number }>(what: string, bounds: B): B {
  const { min = -Infinity, max = Infinity } = bounds;
  if (bounds.min === undefined && bounds.max === undefined)
    throw new GranaryError('InvalidDefinition', `${what} needs a min or a max.`);
  if (!(min <= max)) throw new GranaryError('InvalidDefinition', `${what}: min ${min} is above max ${max}.`);
  return bounds;
}

/** Whether a rule is judged by the rows alone. */
export const isRowRule = <C extends string>(rule: ValidationRule<C>): rule is RowRule<C> =>
  rule.rule !== 'rowCountChange' && rule.rule !== 'noSchemaDrift' && rule.rule !== 'freshness';

/** Whether what a rule found stops publication. */
export const stops = ({ rule, passed }: RuleResult): boolean => !passed && rule.severity !== 'warn';

/** The columns that a rule names. */
export function ruleColumns(rule: ValidationRule): readonly string[] {
  switch (rule.rule) {
    case 'unique':
      return rule.columns;
    case 'notNull':
    case 'maxNullRate':
    case 'range':
      return [rule.column];
    case 'rowCount':
    case 'rowCountChange':
    case 'noSchemaDrift':
    case 'freshness':
      return [];
  }
}

/** That a definition has the time that `freshness` asks for. @throws GranaryError `InvalidDefinition`, with the remedy. */
export function checkFreshness(
  what: string,
  rules: readonly ValidationRule[],
  timestampField: string | undefined,
  remedy: string,
): void {
  if (timestampField === undefined && rules.some(({ rule }) => rule === 'freshness'))
    throw new GranaryError(
      'InvalidDefinition',
      `The rule freshness of the ${what} needs the time of its rows: ${remedy}.`,
    );
}
