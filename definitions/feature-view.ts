import { deadlineOf, type Deadline } from './deadline.js';
import type { Entity, JoinKeys } from './entity.js';
import { GranaryError } from './errors.js';
import type { FeaturesOf, FieldsSpec, FieldSpec, KeyColumns, KeysOf, Known } from './view-types.js';
import { durationMicros } from './interval.js';
import { checkName } from './names.js';
import { makeSelection, type Selection } from './selection.js';
import { bound, isOpen, late, type Find } from './late.js';
import { onlineStore, type OnlineStore } from './provider.js';
import { aboutOf, checkColumn, type AnySource, type Source, type Versioned } from './source.js';
import {
  narrows,
  type AnyColumns,
  type ColumnOf,
  type Narrowed,
  type Schema,
  type ValueType,
} from './types.js';

interface ViewOptions<S extends Schema, E extends readonly (Entity | string)[], F> extends Versioned {
  readonly entities: E;
  /** The source, or its name. */
  readonly source: Source<S> | string;
  /** Columns to serve: names, or `{ feature: { column, type } }` for another name or a narrower type. */
  readonly features: F;
  /** How old a value may be at the time it is asked for; default: no limit. */
  readonly ttl?: string;
  /** Where the newest values are served from. Without it the view is for training only. */
  readonly online?: OnlineStore | string;
  readonly timeout?: string;
  /** By when after an interval's end the view must be loaded; a text is `cancel`. Default: no deadline. */
  readonly deadline?: string | Deadline;
}

/** Fields of one source for one or more entities. */
export interface FeatureView<
  K extends JoinKeys = JoinKeys,
  F extends Schema = Schema,
  V extends string = string,
> extends Versioned {
  readonly kind: 'view';
  readonly name: V;
  readonly entities: readonly Entity[];
  readonly source: AnySource;
  /** Join key -> column of the source. */
  readonly keys: Readonly<Record<string, string>>;
  readonly features: readonly { readonly name: string; readonly column: string; readonly type: ValueType }[];
  readonly ttl: string | undefined;
  readonly online: OnlineStore | undefined;
  readonly timeout: string | undefined;
  readonly deadline: Deadline | undefined;
  /** Some of the features, for a training set. */
  select<const N extends readonly (keyof F & string)[]>(...names: N): Selection<Pick<F, N[number]>, K, V>;
  /** The features for one of the label's entities by role, in columns `<role>__<feature>`. */
  for<const R extends string>(
    role: R,
  ): Selection<{ readonly [N in keyof F & string as `${R}__${N}`]: F[N] }, K, V>;
  /** All features as they were a while before the label's time, in columns `<feature>_lag_<duration>`. */
  lag<const D extends string>(
    duration: D,
  ): Selection<{ readonly [N in keyof F & string as `${N}_lag_${D}`]: F[N] }, K, V>;
  /** Phantom: the features' types. */
  readonly types?: F;
}

/** Declares a feature view. */
export function featureView<
  const V extends string,
  const S extends Schema = AnyColumns,
  const E extends readonly (Entity | string)[] = readonly Entity[],
  const F extends FieldsSpec<S> = FieldsSpec<S>,
>(
  name: V,
  options: ViewOptions<S, E, F> & KeyColumns<S, KeysOf<E>>,
): FeatureView<KeysOf<E>, FeaturesOf<S, F>, V> {
  checkName('feature view', name);
  const what = `feature view ${name}`;
  const { source, entities: given, ttl, timeout, features, keys } = options;
  if (isOpen(source) || given.some(isOpen))
    return lateView(name, options, [source, ...given], (find) =>
      featureView(name, {
        ...options,
        source: bound('source', source, find),
        entities: given.map((entity) => bound('entity', entity, find)),
      } as never),
    ) as unknown as FeatureView<KeysOf<E>, FeaturesOf<S, F>, V>;
  const entities = given as unknown as readonly Entity[];
  const { schema } = source as Source<S>;
  const online = onlineOf(options.online);
  if (entities.length === 0) throw new GranaryError('InvalidDefinition', `The ${what} has no entity.`);
  if (ttl !== undefined) durationMicros(ttl);
  if (timeout !== undefined) durationMicros(timeout);
  return makeView({
    kind: 'view',
    name,
    entities,
    source: source as AnySource,
    keys: keyColumns(what, schema, entities, (keys ?? {}) as Readonly<Record<string, string>>),
    features: fields(what, schema, features),
    ttl,
    online,
    timeout,
    deadline: deadlineOf(what, options.deadline),
    ...aboutOf(options),
  }) as unknown as FeatureView<KeysOf<E>, FeaturesOf<S, F>, V>;
}

const onlineOf = (online: OnlineStore | string | undefined): OnlineStore | undefined =>
  typeof online === 'string' ? onlineStore(online) : online;

/** A view whose source or entities are not known yet; selections of it are, too. */
function lateView(
  name: string,
  options: Versioned,
  references: readonly unknown[],
  bind: (find: Find) => FeatureView,
): FeatureView {
  const view: FeatureView = late(
    {
      kind: 'view' as const,
      name,
      ...aboutOf(options),
      select: (...names: readonly string[]) => makeSelection({ view, role: undefined, features: names }),
      for: (role: string) => makeSelection({ view, role, features: [] }),
      lag: (duration: string) => makeSelection({ view, role: undefined, features: [] }).lag(duration),
    },
    references,
    bind,
  ) as unknown as FeatureView;
  return view;
}

function makeView(view: Omit<FeatureView, 'select' | 'for' | 'lag' | 'types'>): FeatureView {
  const clash = view.features.find((f) => Object.hasOwn(view.keys, f.name));
  if (clash)
    throw new GranaryError(
      'InvalidDefinition',
      `The feature view ${view.name}: "${clash.name}" is a join key, which every reader has already. Leave it out of the features, or give the feature another name.`,
    );
  const all = view.features.map((f) => f.name);
  const full: FeatureView = {
    ...view,
    select: (...names) => {
      for (const name of names)
        if (!view.features.some((f) => f.name === name))
          throw new GranaryError(
            'InvalidDefinition',
            `The feature view ${view.name} has no feature "${name}". Features: ${view.features.map((f) => f.name).join(', ')}.`,
          );
      return makeSelection({ view: full, role: undefined, features: names }) as never;
    },
    for: (role) => makeSelection({ view: full, role, features: all }) as never,
    lag: (duration) => makeSelection({ view: full, role: undefined, features: all }).lag(duration) as never,
  };
  return Object.freeze(full);
}

function keyColumns(
  what: string,
  schema: Schema,
  entities: readonly Entity[],
  mapped: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const { joinKeys } of entities)
    for (const [key, type] of Object.entries(joinKeys)) {
      const column = mapped[key] ?? key;
      checkColumn(`${what}, join key ${key}`, schema, column, type);
      columns[key] = column;
    }
  for (const key of Object.keys(mapped))
    if (!Object.hasOwn(columns, key))
      throw new GranaryError(
        'InvalidDefinition',
        `The ${what}: "${key}" is no join key. Join keys: ${Object.keys(columns).join(', ')}.`,
      );
  return columns;
}

function fields<S extends Schema>(what: string, schema: S, spec: FieldsSpec<S>): FeatureView['features'] {
  const isList = (f: FieldsSpec<S>): f is readonly ColumnOf<S>[] => Array.isArray(f);
  const entries: [string, { readonly column: string; readonly type?: ValueType }][] = isList(spec)
    ? spec.map((column) => [column, { column }])
    : Object.entries<FieldSpec<S>>(spec);
  if (entries.length === 0) throw new GranaryError('InvalidDefinition', `The ${what} has no features.`);
  return entries.map(([name, { column, type }]) => {
    checkColumn(`${what}, feature ${name}`, schema, column);
    checkName('feature', name);
    const found = schema[column] as ValueType;
    if (type !== undefined && !narrows(found, type))
      throw new GranaryError(
        'InvalidDefinition',
        `The ${what}: the feature "${name}" is declared ${type} over the ${found} column "${column}". Only float64 -> float32 and int32 -> int64 are possible; cast in SQL.`,
      );
    return { name, column, type: type ?? found };
  });
}

interface FeatureOptions<
  S extends Schema,
  J extends string,
  T extends Entity['joinKeys'][string],
  C extends ColumnOf<S>,
  V extends Narrowed<S[C]>,
> extends Versioned {
  readonly entity: Entity<Readonly<Record<J, T>>> | string;
  readonly source: Source<S> | string;
  /** The column that holds the entity's join key. */
  readonly key: ColumnOf<S, NoInfer<T>>;
  /** The column that holds the value. */
  readonly value: C;
  readonly type?: V;
  readonly ttl?: string;
  readonly online?: OnlineStore | string;
}

/** Declares the view `name` with the one field `name`, for an entity with one join key. */
export function feature<
  const N extends string,
  const S extends Schema = AnyColumns,
  const J extends string = string,
  const T extends Entity['joinKeys'][string] = Entity['joinKeys'][string],
  const C extends ColumnOf<S> = ColumnOf<S>,
  const V extends Narrowed<S[C]> = Known<S[C]>,
>(
  name: N,
  options: FeatureOptions<S, J, T, C, V>,
): FeatureView<Readonly<Record<J, T>>, { readonly [K in N]: V }, N> {
  const { entity: given, key, value, type, source: from, ttl } = options;
  if (isOpen(from) || isOpen(given))
    return lateView(name, options, [from, given], (find) =>
      feature(name, {
        ...options,
        source: bound('source', from, find),
        entity: bound('entity', given, find),
      } as never),
    ) as unknown as FeatureView<Readonly<Record<J, T>>, { readonly [K in N]: V }, N>;
  const described = given as Entity;
  const source = from as Source<S>;
  const online = onlineOf(options.online);
  const [joinKey] = Object.keys(described.joinKeys);
  if (joinKey === undefined || Object.keys(described.joinKeys).length !== 1)
    throw new GranaryError(
      'InvalidDefinition',
      `feature('${name}') is for an entity with one join key; use featureView for ${described.name}.`,
    );
  checkName('feature', name);
  if (ttl !== undefined) durationMicros(ttl);
  return makeView({
    kind: 'view',
    name,
    entities: [described],
    source: source as AnySource,
    keys: keyColumns(`feature ${name}`, source.schema, [described], { [joinKey]: key }),
    features: fields(`feature ${name}`, source.schema, {
      [name]: { column: value, ...(type === undefined ? {} : { type }) } as unknown as FieldSpec<S>,
    }),
    ttl,
    online,
    timeout: undefined,
    deadline: undefined,
    ...aboutOf(options),
  }) as unknown as FeatureView<Readonly<Record<J, T>>, { readonly [K in N]: V }, N>;
}
