import { GranaryError } from './errors.js';
import type { FeatureView, Selection } from './feature-view.js';
import { durationMicros } from './interval.js';
import type { Label } from './label.js';
import { bound, isOpen, late, type Find } from './late.js';
import { checkName } from './names.js';
import type { PostgresProvider } from './postgres.js';
import { fileStore, type FileStore } from './provider.js';
import { aboutOf, type Versioned } from './source.js';
import type { Schema, Value } from './types.js';

/** A view, or some of its features, or its features for a role of the label. */
export type FeatureChoice = FeatureView | Selection;

type ColumnsOf<F> = F extends { readonly kind: 'selection'; readonly types?: infer C }
  ? C
  : F extends { readonly kind: 'view'; readonly types?: infer C }
    ? C
    : never;
type Union<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** A row of a training set: every feature, then the label; any may be NULL. */
export type TrainingRow<L, F extends readonly FeatureChoice[]> = {
  readonly [K in keyof Union<NonNullable<ColumnsOf<F[number]>>> & string]: Union<
    NonNullable<ColumnsOf<F[number]>>
  > extends Schema
    ? Value<Union<NonNullable<ColumnsOf<F[number]>>>[K]> | null
    : unknown;
} & (L extends Label<infer N, infer T> ? { readonly [K in N]: Value<T> | null } : unknown);

/** {@link TrainingRow}, or any columns where something is given by its name. */
export type RowOf<L extends Label | string, F extends readonly (FeatureChoice | string)[]> = [
  Extract<L | F[number], string>,
] extends [never]
  ? F extends readonly FeatureChoice[]
    ? TrainingRow<L, F>
    : never
  : Readonly<Record<string, unknown>>;

export interface TrainingSetOptions<
  L extends Label | string,
  F extends readonly (FeatureChoice | string)[],
> extends Versioned {
  readonly label: L;
  /** Views or selections of them, or names: `view`, `view:feature`. */
  readonly features: F;
  /**
   * Where it is stored; default: where the label's source is stored. One whose label and features all lie in one database is joined
   * and stays there, unless a file store is named.
   */
  readonly store?: FileStore | PostgresProvider | string;
  /** Columns of the label to carry before the features; default: none. */
  readonly include?: readonly ('keys' | 'timestamp')[];
  readonly timeout?: string;
}

/** A label joined point-in-time with features: an immutable dataset an interval. */
export interface TrainingSet<
  Row = Readonly<Record<string, unknown>>,
  LabelName extends string = string,
> extends Versioned {
  readonly kind: 'trainingSet';
  readonly name: string;
  readonly label: Label;
  readonly features: readonly Selection[];
  readonly store: FileStore | PostgresProvider | undefined;
  readonly include: readonly ('keys' | 'timestamp')[];
  readonly timeout: string | undefined;
  /** Phantom: the type of a row. */
  readonly row?: Row;
  /** Phantom: the label's column. */
  readonly labelName?: LabelName;
}

/** The name of a label, given as a definition or as a text. */
type NameOf<L> = L extends Label<infer N> ? N : L extends string ? L : string;

/**
 * Declares a training set. A feature's column is its own name, or `<role>__<feature>` where the view was chosen by `view.for(role)`;
 * the label's column bears the label's name and comes last.
 */
export function trainingSet<
  const L extends Label | string,
  const F extends readonly (FeatureChoice | string)[],
>(name: string, options: TrainingSetOptions<L, F>): TrainingSet<RowOf<L, F>, NameOf<L>> {
  checkName('training set', name);
  const { label: given, features: chosen, include, store: place, timeout, ...about } = options;
  const store = typeof place === 'string' ? fileStore(place) : place;
  const views = chosen.map((choice) =>
    typeof choice !== 'string' && choice.kind === 'selection' ? choice.view : choice,
  );
  if ([given, ...views].some(isOpen))
    return late(
      { kind: 'trainingSet' as const, name, ...aboutOf(options) },
      [given, ...views, ...(store ? [store] : [])],
      (find) =>
        trainingSet(name, {
          ...options,
          ...(store ? { store } : {}),
          label: bound('label', given, find) as Label,
          features: chosen.map((choice) => boundChoice(choice, find)),
        }),
    ) as unknown as TrainingSet<RowOf<L, F>, NameOf<L>>;
  const label = given as Label;
  const features = chosen as unknown as readonly FeatureChoice[];
  if (features.length === 0)
    throw new GranaryError('InvalidDefinition', `The training set ${name} has no features.`);
  if (timeout !== undefined) durationMicros(timeout);
  const selections = features.map((choice): Selection =>
    choice.kind === 'selection'
      ? choice
      : { kind: 'selection', view: choice, role: undefined, features: choice.features.map((f) => f.name) },
  );
  for (const selection of selections) roleOf(name, label, selection);
  const set: TrainingSet<RowOf<L, F>, NameOf<L>> = {
    kind: 'trainingSet',
    name,
    label,
    features: selections,
    store,
    include: include ?? [],
    timeout,
    ...about,
  };
  checkColumns(set);
  return Object.freeze(set);
}

/** A choice with its view known: `view:feature` selects one feature. */
function boundChoice(choice: FeatureChoice | string, find: Find): FeatureChoice {
  if (typeof choice === 'string') {
    const [name = '', feature] = choice.split(':');
    const view = find('view', name) as FeatureView;
    return feature === undefined ? view : view.select(feature);
  }
  if (choice.kind !== 'selection') return bound('view', choice, find) as FeatureView;
  const view = bound('view', choice.view, find) as FeatureView;
  if (choice.role !== undefined) return view.for(choice.role);
  return view.select(...choice.features);
}

/**
 * The label's entity that a selection joins on: the role it names, else the only one with the view's join keys.
 * @throws GranaryError `InvalidDefinition` when there is none, or several and no role was named.
 */
export function roleOf(name: string, label: Label, selection: Selection): Label['roles'][number] {
  const { view, role } = selection;
  const keys = Object.keys(view.keys).sort().join(', ');
  const fitting = label.roles.filter((r) => Object.keys(r.entity.joinKeys).sort().join(', ') === keys);
  const chosen = role === undefined ? fitting : fitting.filter((r) => r.role === role);
  const [found, ...more] = chosen;
  if (found === undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: the label ${label.name} has no ${role === undefined ? 'entity' : `role "${role}"`} with the join keys ${keys} of the view ${view.name}. Roles: ${label.roles.map((r) => `${r.role} (${Object.keys(r.entity.joinKeys).join(', ')})`).join('; ')}.`,
    );
  if (more.length > 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: the view ${view.name} fits the roles ${chosen.map((r) => r.role).join(' and ')}. Choose: ${chosen.map((r) => `${view.name}.for('${r.role}')`).join(', ')}.`,
    );
  return found;
}

/** The output column of a selected feature. */
export const featureColumn = (selection: Pick<Selection, 'role'>, feature: string): string =>
  selection.role === undefined ? feature : `${selection.role}__${feature}`;

/** The label's own columns that a set carries: join keys in order of roles, then the timestamp. */
export function carriedColumns(set: Pick<TrainingSet, 'label' | 'include'>): string[] {
  const { label, include } = set;
  return [
    ...(include.includes('keys') ? new Set(label.roles.flatMap((r) => Object.values(r.keys))) : []),
    ...(include.includes('timestamp') && label.timestampField !== undefined ? [label.timestampField] : []),
  ];
}

function checkColumns(set: TrainingSet): void {
  const seen = new Set<string>();
  const columns = [
    ...carriedColumns(set),
    ...set.features.flatMap((s) => s.features.map((f) => featureColumn(s, f))),
    set.label.name,
  ];
  for (const column of columns) {
    if (seen.has(column.toLowerCase()))
      throw new GranaryError(
        'InvalidDefinition',
        `The training set ${set.name} would have two columns "${column}". Choose features with select(...), use for(role), or rename a feature.`,
      );
    seen.add(column.toLowerCase());
  }
}
