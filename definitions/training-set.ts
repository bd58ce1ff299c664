import { deadlineOf, type Deadline } from './deadline.js';
import type { JoinKeys, KeyType } from './entity.js';
import { GranaryError } from './errors.js';
import type { FeatureView } from './feature-view.js';
import { durationMicros } from './interval.js';
import type { Label } from './label.js';
import { bound, isOpen, late, type Find } from './late.js';
import { checkName } from './names.js';
import type { PostgresProvider } from './postgres.js';
import { fileStore, type FileStore } from './provider.js';
import { featureColumn, makeSelection, uniqueColumns, type Selection } from './selection.js';
import { aboutOf, type Versioned } from './source.js';
import { SPLIT_COLUMN, splitOf, type Split } from './split.js';
import type { SqlTemplate } from './sql.js';
import type { FeatureChoice, NameOf, RowOf } from './training-row.js';
import { checkTimes, conditionText } from './training-rules.js';
import { checkFreshness, ruleColumns, type ValidationRule } from './validation.js';

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
  /**
   * Only label rows for which this SQL condition over the columns of the label's source holds: `sql`amount > 0``. Runs in the engine that joins.
   */
  readonly where?: SqlTemplate | string;
  /** Divides the rows into `train`, `validation` and `test`, in a first column `split`; see `splitByTime` and `splitByEntity`. */
  readonly split?: Split;
  /**
   * A feature row counts only if its created timestamp is at or before the label's time: what was recorded later was not known then. Needs a
   * `createdTimestampField` on the source of every view with timestamps.
   */
  readonly knownAt?: boolean;
  /** Refuses a label and features without timestamps, which may contain the label's future. */
  readonly requireTimestamps?: boolean;
  /** Rules over each version: one that fails stops its publication, but for those given to `warn`. */
  readonly validate?: readonly ValidationRule[];
  readonly timeout?: string;
  /** By when after an interval's end the set must be built; a text is `cancel`. Default: no deadline. */
  readonly deadline?: string | Deadline;
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
  /** The row filter as text. */
  readonly where: string | undefined;
  readonly split: Split | undefined;
  readonly knownAt: boolean;
  readonly requireTimestamps: boolean;
  readonly validate: readonly ValidationRule[];
  readonly timeout: string | undefined;
  readonly deadline: Deadline | undefined;
  /** Phantom: the type of a row. */
  readonly row?: Row;
  /** Phantom: the label's column. */
  readonly labelName?: LabelName;
}

/**
 * Declares a training set. Columns come in this order: `split`, the label's keys and timestamp (each where asked for), the features in
 * definition order, the label under its name. A feature's column is its own name, `<role>__<feature>` where the view was chosen by
 * `view.for(role)`, with `_lag_<duration>` after it where it lags; where two columns would have one name, each feature's is `<view>__` before that.
 */
export function trainingSet<
  const L extends Label | string,
  const F extends readonly (FeatureChoice | string)[],
>(name: string, options: TrainingSetOptions<L, F>): TrainingSet<RowOf<L, F>, NameOf<L>> {
  checkName('training set', name);
  const { label: given, features: chosen, store: place, timeout } = options;
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
      : makeSelection({ view: choice, role: undefined, features: choice.features.map((f) => f.name) }),
  );
  for (const selection of selections) roleOf(name, label, selection);
  const set: TrainingSet<RowOf<L, F>, NameOf<L>> = {
    kind: 'trainingSet',
    name,
    label,
    features: selections,
    store,
    include: options.include ?? [],
    where: options.where === undefined ? undefined : conditionText(name, options.where),
    split: options.split === undefined ? undefined : splitOf(name, label, options.split),
    knownAt: options.knownAt ?? false,
    requireTimestamps: options.requireTimestamps ?? false,
    validate: options.validate ?? [],
    timeout,
    deadline: deadlineOf(`training set ${name}`, options.deadline),
    ...aboutOf(options),
  };
  checkColumns(set);
  checkTimes(set);
  checkFreshness(
    `training set ${name}`,
    set.validate,
    set.include.includes('timestamp') ? label.timestampField : undefined,
    "carry the label's: include: ['timestamp']",
  );
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
  const chosen =
    choice.role !== undefined
      ? view.for(choice.role)
      : view.select(...(choice.features.length > 0 ? choice.features : view.features.map((f) => f.name)));
  return choice.before === undefined ? chosen : chosen.lag(choice.before);
}

/** Whether a join key of a label's entity fits the same one of a view: whole numbers of either width do. */
const isSameKind = (a: KeyType | undefined, b: KeyType | undefined): boolean =>
  a === b || [a, b].every((type) => type === 'int32' || type === 'int64');

/**
 * The label's entity that a selection joins on: the role it names, else the only one with the view's join keys, of their types.
 * @throws GranaryError `InvalidDefinition` when there is none, or several and no role was named.
 */
export function roleOf(name: string, label: Label, selection: Selection): Label['roles'][number] {
  const { view, role } = selection;
  const keys = Object.keys(view.keys).sort().join(', ');
  const types = Object.assign({}, ...view.entities.map((e) => e.joinKeys)) as JoinKeys;
  const named = label.roles.filter(
    (r) =>
      Object.keys(r.entity.joinKeys).sort().join(', ') === keys && (role === undefined || r.role === role),
  );
  const unlike = ({ entity }: Label['roles'][number]): string | undefined =>
    Object.keys(view.keys).find((key) => !isSameKind(entity.joinKeys[key], types[key]));
  const chosen = named.filter((r) => unlike(r) === undefined);
  const [found, ...more] = chosen;
  const [other] = named;
  const key = other && unlike(other);
  if (found === undefined && other && key !== undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: the join key "${key}" of the view ${view.name} is ${types[key] ?? ''}, but that of the entity ${other.entity.name} of the label ${label.name} is ${other.entity.joinKeys[key] ?? ''}. Where both mean one thing, declare it with one type; where they do not, add the view's entity to the label.`,
    );
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

/** The label's own columns that a set carries: join keys in order of roles, then the timestamp. */
export function carriedColumns(set: Pick<TrainingSet, 'label' | 'include'>): string[] {
  const { label, include } = set;
  return [
    ...(include.includes('keys') ? new Set(label.roles.flatMap((r) => Object.values(r.keys))) : []),
    ...(include.includes('timestamp') && label.timestampField !== undefined ? [label.timestampField] : []),
  ];
}

/** The output columns of each selection, in order: a name that another column has, too, gets the view's before it. */
export function featureColumns(
  set: Pick<TrainingSet, 'label' | 'features' | 'include' | 'split'>,
): (readonly { readonly feature: string; readonly as: string }[])[] {
  const named = uniqueColumns(
    set.features.map((selection) => ({
      view: selection.view.name,
      plain: selection.features.map((feature) => featureColumn(selection, feature)),
    })),
    [...(set.split === undefined ? [] : [SPLIT_COLUMN]), ...carriedColumns(set), set.label.name],
  );
  return set.features.map(({ features }, s) =>
    features.map((feature, f) => ({ feature, as: named[s]?.[f] ?? feature })),
  );
}

/** Every output column, in order. */
export const trainingColumns = (
  set: Pick<TrainingSet, 'label' | 'features' | 'include' | 'split'>,
): string[] => [
  ...(set.split === undefined ? [] : [SPLIT_COLUMN]),
  ...carriedColumns(set),
  ...featureColumns(set).flatMap((columns) => columns.map(({ as }) => as)),
  set.label.name,
];

function checkColumns(set: TrainingSet): void {
  const columns = trainingColumns(set);
  const seen = new Set<string>();
  for (const column of columns) {
    if (seen.has(column.toLowerCase()))
      throw new GranaryError(
        'InvalidDefinition',
        `The training set ${set.name} would have two columns "${column}". Choose features with select(...), use for(role), or rename a feature.`,
      );
    seen.add(column.toLowerCase());
  }
  for (const rule of set.validate)
    for (const column of ruleColumns(rule))
      if (!columns.includes(column))
        throw new GranaryError(
          'InvalidDefinition',
          `The training set ${set.name}: the rule ${rule.rule} names the column "${column}". Columns: ${columns.join(', ')}.`,
        );
}
