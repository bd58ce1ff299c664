import type { JoinKeys } from './entity.js';
import { GranaryError } from './errors.js';
import type { FeatureView } from './feature-view.js';
import { durationMicros } from './interval.js';
import type { Schema } from './types.js';

/** Features of a view as columns of a training set. */
export interface Selection<
  C extends Schema = Schema,
  K extends JoinKeys = JoinKeys,
  N extends string = string,
> {
  readonly kind: 'selection';
  readonly view: FeatureView;
  readonly role: string | undefined;
  /** Names; of a view that is given by its name and not yet known, none: all of them. */
  readonly features: readonly string[];
  /** How long before the label's time the values are taken, as a duration text. */
  readonly before: string | undefined;
  /**
   * The values as they were a while before the label's time, in columns `<feature>_lag_<duration>`: `view.select('price').lag('7d')`. A TTL
   * counts from that earlier time.
   */
  lag<const D extends string>(
    duration: D,
  ): Selection<{ readonly [P in keyof C & string as `${P}_lag_${D}`]: C[P] }, K, N>;
  /** Phantoms: the columns' types, the view's join keys and its name. */
  readonly types?: C;
  readonly keyTypes?: K;
  readonly viewName?: N;
}

/** What a selection is made of. */
export type SelectionParts = Pick<Selection, 'view' | 'role' | 'features'> & { readonly before?: string };

/** @throws GranaryError `InvalidDefinition` for a lag that is no duration, is nothing, or is given twice. */
export function makeSelection({ view, role, features, before }: SelectionParts): Selection {
  return Object.freeze({
    kind: 'selection',
    view,
    role,
    features,
    before,
    lag: (duration: string) => {
      if (before !== undefined)
        throw new GranaryError(
          'InvalidDefinition',
          `The features of ${view.name} lag by ${before} already; .lag('${duration}') cannot be added. Give the sum as one duration.`,
        );
      if (durationMicros(duration) === 0n)
        throw new GranaryError(
          'InvalidDefinition',
          `The features of ${view.name}: a lag of ${duration} is none. Leave .lag() out, or give a duration such as 7d.`,
        );
      return makeSelection({ view, role, features, before: duration.replaceAll(/\s/g, '') });
    },
  }) as Selection;
}

/**
 * The output columns of selected features, a list a selection: `plain` where no other column has that name, in whatever case, else with the name of
 * the view before it.
 * @param taken the names that other columns have
 */
export function uniqueColumns(
  selections: readonly { readonly view: string; readonly plain: readonly string[] }[],
  taken: readonly string[],
): string[][] {
  const count = new Map<string, number>();
  for (const name of [...taken, ...selections.flatMap(({ plain }) => plain)])
    count.set(name.toLowerCase(), (count.get(name.toLowerCase()) ?? 0) + 1);
  return selections.map(({ view, plain }) =>
    plain.map((name) => (count.get(name.toLowerCase()) === 1 ? name : `${view}__${name}`)),
  );
}

/** The output column of a selected feature, as long as no other column has that name. */
export const featureColumn = (
  { role, before }: Pick<Selection, 'role' | 'before'>,
  feature: string,
): string => {
  const named = role === undefined ? feature : `${role}__${feature}`;
  return before === undefined ? named : `${named}_lag_${before}`;
};
