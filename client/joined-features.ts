import { isKind, type Resource } from '../definitions/contract.js';
import type { KeyType } from '../definitions/entity.js';
import { GranaryError } from '../definitions/errors.js';
import { featureColumn, uniqueColumns } from '../definitions/selection.js';
import type { Schema } from '../definitions/types.js';
import type { JoinedView } from '../providers/offline/provider.js';
import { joinedView, oneChoiceEach } from '../providers/offline/source-relation.js';
import type { RegisteredResource } from '../registry/resources.js';
import { wantedOf, type FeatureReference, type Wanted } from './feature-vectors.js';

/** A view's side of a join with entity rows, its output columns not named yet. */
export interface AskedView {
  readonly wanted: Wanted;
  readonly source: Resource<'source'>;
  /** Columns of the entity rows, and of the source, that hold the join keys. */
  readonly keys: readonly { readonly name: string; readonly column: string; readonly type: KeyType }[];
}

/**
 * The views that were asked for. The join keys of a view that was chosen by role are in columns `<role>__<key>`.
 * @throws GranaryError `UnknownResource`; `InvalidInput` when nothing was asked for.
 */
export function askedViews(
  resources: ReadonlyMap<string, RegisteredResource>,
  references: readonly FeatureReference[],
): AskedView[] {
  if (references.length === 0)
    throw new GranaryError('InvalidInput', 'No feature was asked for. Give at least one view or name.');
  return references.map((reference) => {
    const wanted = wantedOf(resources, reference);
    const { view, role } = wanted;
    const source = resources.get(view.spec.source);
    if (!source || !isKind(source, 'source'))
      throw new GranaryError(
        'UnknownResource',
        `The registry has no source ${view.spec.source} of ${view.id}.`,
      );
    return {
      wanted,
      source: source as Resource<'source'>,
      keys: view.spec.joinKeys.map(({ name, column, type }) => ({
        name: role === undefined ? name : `${role}__${name}`,
        column,
        type,
      })),
    };
  });
}

/**
 * Which columns of the entity rows the views need: where two disagree about whole numbers, what fits both.
 * @throws GranaryError `InvalidInput` where they disagree about more: then they mean different entities.
 */
export function keyColumns(views: readonly AskedView[]): Map<string, { type: KeyType; of: string }> {
  const columns = new Map<string, { type: KeyType; of: string }>();
  for (const { keys, wanted } of views)
    for (const { name, type } of keys) {
      const known = columns.get(name);
      const isWhole = [known?.type, type].every((one) => one === 'int32' || one === 'int64');
      if (known !== undefined && known.type !== type && !isWhole)
        throw new GranaryError(
          'InvalidInput',
          `The column "${name}" of the entity rows cannot be a join key of ${known.of} (${known.type}) and of the view ${wanted.view.name} (${type}). Ask for them one after the other, or by role: .for('...') reads the columns <role>__${name}.`,
        );
      if (known === undefined || (known.type === 'int64' && type === 'int32'))
        columns.set(name, { type, of: `the view ${wanted.view.name}` });
    }
  return columns;
}

/** A view's side of a join, with the source of its rows. */
export interface NamedView {
  readonly source: Resource<'source'>;
  readonly view: Omit<JoinedView, 'relation'>;
}

/** What was asked for, as a join makes it. */
export interface NamedFeatures {
  /** The features' columns in the order in which they were asked for. */
  readonly schema: Schema;
  /** Each view once for a role and a lag, however many of its features were asked for one by one. */
  readonly views: readonly NamedView[];
}

/**
 * The views with their output columns: `<feature>` alone, with `<role>__` before and `_lag_<duration>` after it where these were chosen; with `<view>__`
 * before that where `isFull`, or another column has the name already.
 * @throws GranaryError `InvalidInput` when a name is there twice all the same.
 */
export function joinedViews(views: readonly AskedView[], taken: Schema, isFull: boolean): NamedFeatures {
  const plain = views.map(({ wanted }) => ({
    view: wanted.view.name,
    plain: wanted.features.map((feature) => featureColumn(wanted, feature)),
  }));
  const named = isFull
    ? plain.map(({ view, plain: names }) => names.map((name) => `${view}__${name}`))
    : uniqueColumns(plain, Object.keys(taken));
  const seen = new Set(Object.keys(taken).map((name) => name.toLowerCase()));
  const chosen = views.map(({ wanted, source, keys }, v) => {
    const { view, before, features } = wanted;
    const columns = features.map((feature, f) => {
      const as = named[v]?.[f] ?? feature;
      if (seen.has(as.toLowerCase()))
        throw new GranaryError(
          'InvalidInput',
          `There would be two columns "${as}". Ask for ${view.name}:${feature} once, or rename the column of the entity rows.`,
        );
      seen.add(as.toLowerCase());
      return { feature, as };
    });
    return {
      ...{ view, source, columns, lag: before },
      name: `feature view ${view.name}`,
      keys: keys.map(({ name }) => name),
    };
  });
  return {
    schema: Object.fromEntries(
      chosen.flatMap((choice) => joinedView(choice).columns.map(({ as, type }) => [as, type])),
    ),
    views: oneChoiceEach(chosen).map((choice) => ({ source: choice.source, view: joinedView(choice) })),
  };
}

/** What needs a time of the rows and of the sources. @throws GranaryError `InvalidInput`. */
export function checkJoinTimes(
  views: readonly AskedView[],
  { isTimed, knownAt }: { readonly isTimed: boolean; readonly knownAt: boolean },
): void {
  for (const { wanted, source } of views) {
    const { name } = wanted.view;
    if (!isTimed && wanted.before !== undefined)
      throw new GranaryError(
        'InvalidInput',
        `The features of ${name} lag by ${wanted.before}, but the entity rows have no time. Give them an event_timestamp, or name their column: timestampField: '...'.`,
      );
    if (
      knownAt &&
      source.spec.timestampField !== undefined &&
      source.spec.createdTimestampField === undefined
    )
      throw new GranaryError(
        'InvalidInput',
        `knownAt: the source ${source.name} of the view ${name} has no createdTimestampField, so nobody can tell when a row was known. Give it one, or leave the view out.`,
      );
  }
  if (knownAt && !isTimed)
    throw new GranaryError(
      'InvalidInput',
      "knownAt: the entity rows have no time, and nothing can be known at no time. Give them an event_timestamp, or name their column: timestampField: '...'.",
    );
}
