import type { Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { FeatureView } from '../definitions/feature-view.js';
import type { Selection } from '../definitions/selection.js';
import { didYouMean } from '../definitions/names.js';
import type { Schema, Value } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import type { Registry } from '../registry/registry.js';
import type { RegisteredResource } from '../registry/resources.js';
import { readViews, registeredView, type ServedView } from './features.js';
import { vector, type Vector } from './printed.js';

/**
 * What to serve: a view with all of its features, some of them (`view.select('total')`), or by name: `avg_transactions`,
 * `user_features:total`, `user_features.v2:total`.
 */
export type FeatureReference = FeatureView | Selection | string;

/** One entity, `{ customer: 'C1' }` by the entity's name or its join keys, or several: `{ customer: ['C1', 'C2'] }`. */
export type EntityValues = Readonly<Record<string, Value | readonly Value[]>>;

/** One entity by the names of its join keys, or by its own name. */
export type OneEntity = Readonly<Record<string, Exclude<Value, readonly unknown[]>>>;

/** The values by `view:feature`, for references of which the type is known. */
export type NamedFeatures<R extends readonly FeatureReference[]> = R extends readonly (infer E)[]
  ? E extends { readonly types?: infer F }
    ? NonNullable<F> extends Schema
      ? Readonly<Record<string, Value<NonNullable<F>[keyof NonNullable<F>]> | null>>
      : Readonly<Record<string, unknown>>
    : Readonly<Record<string, unknown>>
  : never;

/** A registered view and which of its features were asked for; for a role or a while before, where a selection says so. */
export interface Wanted {
  readonly view: ServedView;
  readonly features: readonly string[];
  readonly role: string | undefined;
  readonly before: string | undefined;
}

/**
 * The values of some features for one entity, in the order in which they were asked for, or for several: then one such list an entity, in
 * their order. What is not there is null.
 */
export async function readVectors(
  open: OpenProject,
  registry: Registry,
  references: readonly FeatureReference[],
  entities: EntityValues | readonly EntityValues[],
): Promise<Vector | Vector[]> {
  const resources = await registry.resources.all();
  const wanted = references.map((reference) => wantedOf(resources, reference));
  if (wanted.length === 0)
    throw new GranaryError('InvalidInput', 'No feature was asked for. Give at least one view or name.');
  const lagging = wanted.find(({ before }) => before !== undefined);
  if (lagging)
    throw new GranaryError(
      'InvalidInput',
      `The features of ${lagging.view.name} lag by ${lagging.before ?? ''}, but online there are the newest values alone. Leave .lag(...) out, or use historicalFeatures.`,
    );
  const { rows, isOne } = spread(entities);
  const names = wanted.flatMap(({ view, features }) => features.map((name) => `${view.name}:${name}`));
  const values: unknown[][] = rows.map(() => []);
  // A view that is asked for twice is read once.
  const views = [...new Map(wanted.map(({ view }) => [view.id, view])).values()];
  const read = await readViews(
    open,
    views.map((view) => ({ view, entities: rows.map((row) => keysOf(resources, view, row)) })),
  );
  for (const { view, features } of wanted)
    for (const [i, { values: found }] of (read[views.indexOf(view)] ?? []).entries())
      values[i]?.push(...features.map((name) => found[name] ?? null));
  const vectors = values.map((list) => vector<Readonly<Record<string, unknown>>>(names, list));
  const [only] = vectors;
  return isOne && only ? only : vectors;
}

/** Finds the view of a reference. @throws GranaryError `UnknownResource` with the nearest names. */
export function wantedOf(
  resources: ReadonlyMap<string, RegisteredResource>,
  reference: FeatureReference,
): Wanted {
  const chosen =
    typeof reference === 'string'
      ? named(reference)
      : reference.kind === 'selection'
        ? {
            name: reference.view.name,
            variant: reference.view.variant,
            // A selection of a view that was given by name has none: it means all.
            features: reference.features.length === 0 ? undefined : reference.features,
          }
        : { name: reference.name, variant: reference.variant, features: undefined };
  const view = registeredView(resources, chosen.name, chosen.variant);
  const known = view.spec.features.map(({ name }) => name);
  const features = chosen.features ?? known;
  for (const feature of features)
    if (!known.includes(feature))
      throw new GranaryError(
        'UnknownResource',
        `The view ${view.name} has no feature "${feature}". ${didYouMean(feature, known)}`,
      );
  const chosenFor = typeof reference !== 'string' && reference.kind === 'selection' ? reference : undefined;
  return { view, features, role: chosenFor?.role, before: chosenFor?.before };
}

function named(text: string): {
  name: string;
  variant: string | undefined;
  features: readonly string[] | undefined;
} {
  const [, name = text, variant, feature] = /^(?:view\/)?([^.:]+)(?:\.([^:]+))?(?::(.+))?$/.exec(text) ?? [];
  return { name, variant, features: feature === undefined ? undefined : [feature] };
}

/** One object an entity, from any of the ways to give them. */
function spread(entities: EntityValues | readonly EntityValues[]): {
  readonly rows: readonly Readonly<Record<string, Value>>[];
  readonly isOne: boolean;
} {
  if (isList(entities)) return { rows: entities as readonly Readonly<Record<string, Value>>[], isOne: false };
  const lists = Object.entries(entities).filter(([, value]) => Array.isArray(value));
  const [first] = lists;
  if (!first) return { rows: [entities as Readonly<Record<string, Value>>], isOne: true };
  const { length } = first[1] as readonly Value[];
  const odd = lists.find(([, value]) => (value as readonly Value[]).length !== length);
  if (odd)
    throw new GranaryError(
      'InvalidInput',
      `The entities have ${length} values of "${first[0]}" but ${(odd[1] as readonly Value[]).length} of "${odd[0]}". Give as many of each.`,
    );
  return {
    isOne: false,
    rows: Array.from({ length }, (_, i) =>
      Object.fromEntries(
        Object.entries(entities).map(([key, value]) => [
          key,
          Array.isArray(value) ? (value as readonly Value[])[i] : value,
        ]),
      ),
    ) as readonly Readonly<Record<string, Value>>[],
  };
}

const isList = (value: EntityValues | readonly EntityValues[]): value is readonly EntityValues[] =>
  Array.isArray(value);

/** A view's join keys by name; an entity with one join key may be given by its own name. */
function keysOf(
  resources: ReadonlyMap<string, RegisteredResource>,
  view: ServedView,
  given: Readonly<Record<string, Value>>,
): Readonly<Record<string, Value>> {
  const keys: Record<string, Value> = {};
  for (const id of view.spec.entities) {
    const entity = resources.get(id) as Resource<'entity'> | undefined;
    const joinKeys = Object.keys(entity?.spec.joinKeys ?? {});
    const [key] = joinKeys;
    const own = entity && Object.hasOwn(given, entity.name) ? given[entity.name] : undefined;
    if (own !== undefined && key !== undefined && joinKeys.length === 1) keys[key] = own;
  }
  for (const { name } of view.spec.joinKeys) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) keys[name] = value;
  }
  return keys;
}
