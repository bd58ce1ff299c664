import type { Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { Split } from '../definitions/split.js';
import { trainingSchema } from '../definitions/training-schema.js';
import type { Schema, ValueType } from '../definitions/types.js';
import type {
  JoinedView,
  JoinStatistics,
  PointInTimeJoin,
  Relation,
  RowSplit,
} from '../providers/offline/provider.js';
import { joinedView, oneChoiceEach } from '../providers/offline/source-relation.js';
import type { Resources } from './inputs.js';
import type { StagedRows } from './messages.js';

/** A training set with everything that it refers to at hand. */
export interface TrainingPlan {
  readonly labelSource: Resource<'source'>;
  readonly spine: Omit<PointInTimeJoin['spine'], 'relation'>;
  readonly knownAt: boolean;
  /** The row filter. */
  readonly where: string | undefined;
  readonly views: readonly (Omit<JoinedView, 'relation'> & {
    readonly source: Resource<'source'>;
    readonly role: string;
  })[];
  readonly schema: Schema;
}

/** How a training set is joined: columns, keys by role, and the output's schema with the label last. */
export function trainingPlan(resources: Resources, set: Resource<'trainingSet'>): TrainingPlan {
  const label = resourceOf(resources, set.spec.label, 'label');
  const labelSource = resourceOf(resources, label.spec.source, 'source');
  const schema = trainingSchema(resources, set);
  const carried = set.spec.include.map((column) => ({
    column,
    as: column,
    type: schema[column] as ValueType,
  }));
  const chosen = set.spec.features.map((choice) => {
    const view = resourceOf(resources, choice.view, 'view');
    const source = resourceOf(resources, view.spec.source, 'source');
    const { lag, columns } = choice;
    const role = label.spec.roles.find((r) => r.role === choice.role);
    if (!role)
      throw new GranaryError('InvalidDefinition', `The label ${label.name} has no role "${choice.role}".`);
    const name = `${view.name} for ${choice.role}${lag === undefined ? '' : `, ${lag} before`}`;
    const paired = view.spec.joinKeys.map((key) => role.keys.find((k) => k.name === key.name));
    const keys = paired.map((key) => key?.column ?? '');
    return {
      view,
      source,
      name,
      keys,
      lag,
      columns,
      role: choice.role,
      types: paired.map((key) => key?.type),
    };
  });
  const views = oneChoiceEach(chosen).map((choice) => {
    const joined = joinedView(choice);
    // A whole number of a label that is too large for the view's matches nothing; made narrower, it would fail.
    const on = joined.on.map((pair, i) =>
      pair.type === 'int32' && choice.types[i] === 'int64' ? { ...pair, type: 'int64' as const } : pair,
    );
    return { ...joined, on, role: choice.role, source: choice.source };
  });
  const { timestampField } = label.spec;
  const keys = [...new Set(label.spec.roles.flatMap((role) => role.keys.map((key) => key.column)))];
  const split = set.spec.split && rowSplit(label, set.spec.split);
  const labelColumn = { column: label.spec.value, as: label.name, type: label.spec.type };
  return {
    labelSource,
    spine: {
      ...(timestampField === undefined ? {} : { timestampField }),
      columns: carried,
      label: labelColumn,
      orderBy: [...keys, ...(timestampField === undefined ? [] : [timestampField])],
      ...(split === undefined ? {} : { split }),
    },
    knownAt: set.spec.knownAt ?? false,
    where: set.spec.where,
    views,
    schema,
  };
}

/** A split with the columns that decide it. */
function rowSplit({ name, spec }: Resource<'label'>, split: Split): RowSplit {
  if (split.by === 'time') return split;
  const role = spec.roles.find((r) => r.role === split.role);
  if (!role)
    throw new GranaryError('InvalidDefinition', `The label ${name} has no role "${split.role ?? ''}".`);
  const { role: _role, ...shares } = split;
  return { ...shares, keys: role.keys.map(({ column, type }) => ({ column, type })) };
}

/** What the leakage check holds on every build. @throws GranaryError `Internal`: everything depends on it. */
export function refuseLeaks(
  { name, spec }: Pick<Resource<'trainingSet'>, 'name' | 'spec'>,
  { leaked, createdLater }: Pick<JoinStatistics, 'leaked' | 'createdLater'>,
): void {
  const unknown = spec.knownAt ? createdLater.reduce((sum, one) => sum + one, 0) : 0;
  if (leaked > 0)
    throw new GranaryError(
      'Internal',
      `The training set ${name} joined ${leaked} values from after their label's time; nothing was stored.`,
    );
  if (unknown > 0)
    throw new GranaryError(
      'Internal',
      `The training set ${name} has knownAt, but joined ${unknown} values that were created after their label's time; nothing was stored.`,
    );
}

/** What a join hands on with its rows, wherever these are staged. */
export const joinedFacts = (
  { views }: Pick<TrainingPlan, 'views'>,
  { rows, eventTimes, matched }: Pick<JoinStatistics, 'rows' | 'eventTimes' | 'matched'>,
): Pick<StagedRows, 'rows' | 'eventTimes' | 'matched'> => ({
  rows,
  ...(eventTimes === undefined ? {} : { eventTimes }),
  matched: Object.fromEntries(views.map((view, i) => [view.name, matched[i] ?? 0])),
});

/** The label rows of an interval are those of its time that pass the filter; of all of time, and without a time, all of them. */
export const spineBounds = (
  { spine, where }: TrainingPlan,
  interval: Interval,
): Pick<Relation, 'from' | 'before' | 'timestampField' | 'where'> => {
  const { timestampField } = spine;
  const filter = where === undefined ? {} : { where };
  if (timestampField === undefined) return filter;
  return isAllTime(interval)
    ? { timestampField, ...filter }
    : { timestampField, from: interval.start, before: interval.end, ...filter };
};
