import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { registeredNear } from '../definitions/names.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Schema, Value, ValueType } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import type { OnlineRow, OnlineView } from '../providers/online/provider.js';
import { readByStore } from '../providers/online/read-by-store.js';
import { reader } from '../providers/rows.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import type { Registry } from '../registry/registry.js';
import type { RegisteredResource } from '../registry/resources.js';

/** The join keys of one entity: `{ airport: 'ATL' }`. */
export type EntityKeys<K extends Schema> = { readonly [J in keyof K]: Value<K[J]> };

/** What the online store holds for one entity. */
export interface OnlineFeatures<F extends Schema = Schema> {
  readonly values: { readonly [N in keyof F]: Value<F[N]> | null };
  /** When the values held; undefined when the store has none for this entity. */
  readonly eventTime: Timestamp | undefined;
}

/** A view as it is registered. */
export type ServedView = Resource<'view'> & RegisteredResource;

/** Reads a view's default variant for some entities. */
export async function readFeatures<F extends Schema>(
  open: OpenProject,
  registry: Registry,
  name: string,
  entities: readonly Readonly<Record<string, Value>>[],
): Promise<OnlineFeatures<F>[]> {
  return await readValues<F>(open, registeredView(await registry.resources.all(), name), entities);
}

/**
 * A registered view by its name: a variant, by default the default one.
 * @throws GranaryError `UnknownResource`, with the nearest name that there is.
 */
export function registeredView(
  resources: ReadonlyMap<string, RegisteredResource>,
  name: string,
  variant?: string,
): ServedView {
  const views = [...resources.values()].filter((r): r is ServedView => isKind(r, 'view'));
  const view = views.find(
    (r) => r.name === name && (variant === undefined ? r.isDefault : r.variant === variant),
  );
  if (view) return view;
  const which = variant === undefined ? '' : ` with the variant "${variant}"`;
  throw new GranaryError(
    'UnknownResource',
    `No feature view "${name}"${which} is registered. ${registeredNear(name, new Set(views.map((r) => r.name)))}`,
  );
}

/** All features of one registered view, for entities given by its join keys. */
export interface ValuesWanted {
  readonly view: ServedView;
  readonly entities: readonly Readonly<Record<string, Value>>[];
}

/** Reads all features of a registered view for some entities, given by its join keys. */
export async function readValues<F extends Schema>(
  open: OpenProject,
  view: ServedView,
  entities: readonly Readonly<Record<string, Value>>[],
): Promise<OnlineFeatures<F>[]> {
  const [found = []] = await readViews(open, [{ view, entities }]);
  return found as OnlineFeatures<F>[];
}

/** As {@link readValues} for several views: one round trip an online store. */
export async function readViews(
  { scope, providers }: OpenProject,
  wanted: readonly ValuesWanted[],
): Promise<OnlineFeatures[][]> {
  const reads = wanted.map(({ view, entities }) => {
    const target = onlineView(scope, view);
    return {
      store: onlineStoreOf(view),
      types: target.features.map(({ type }: { type: ValueType }) => reader(type)),
      read: {
        view: target,
        keys: entities.map((entity) => keysOf(target, view.name, entity)),
        features: target.features.map((feature) => feature.name),
      },
    };
  });
  const rows = await readByStore(reads, (store, some) => providers.online(store).readAll(some));
  return reads.map(({ read, types }, i) => (rows[i] ?? []).map((row) => valuesOf(read.features, types, row)));
}

function keysOf(
  { joinKeys }: OnlineView,
  name: string,
  entity: Readonly<Record<string, Value>>,
): readonly unknown[] {
  return joinKeys.map(({ name: key, type }) => {
    const value = Object.hasOwn(entity, key) ? entity[key] : undefined;
    if (value === undefined)
      throw new GranaryError(
        'InvalidInput',
        `An entity has no "${key}". The view ${name} is read by ${joinKeys.map((k) => k.name).join(', ')}.`,
      );
    return type === 'timestamp' ? Timestamp.from(value as Timestamp).micros : value;
  });
}

const valuesOf = (
  features: readonly string[],
  types: readonly ((value: unknown) => unknown)[],
  row: OnlineRow | undefined,
): OnlineFeatures => ({
  values: Object.fromEntries(
    features.map((feature, i) => [feature, types[i]?.(row?.values[i]) ?? null]),
  ) as OnlineFeatures['values'],
  eventTime: row && new Timestamp(row.eventTime),
});
