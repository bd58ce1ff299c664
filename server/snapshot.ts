import { isKind } from '../definitions/contract.js';
import { durationMicros } from '../definitions/interval.js';
import type { Scope } from '../definitions/project.js';
import type { OnlineView } from '../providers/online/provider.js';
import { featureServices, type FeatureServices } from '../registry/feature-services.js';
import { onlineView } from '../registry/online-view.js';
import type { RegisteredResource } from '../registry/resources.js';
import type { Plan } from './plan.js';

/** A view as it is served. */
export interface ServedView {
  /** Its id in the registry, and the name that it bears in Feast. */
  readonly id: string;
  readonly name: string;
  /** What a run calls it: `user_features`, or `user_features.v2` for a variant that is not the default. */
  readonly runName: string;
  /** The online store's name; undefined where the view is for training only. */
  readonly store: string | undefined;
  readonly view: OnlineView;
  readonly features: ReadonlySet<string>;
  /** Microseconds; 0: no limit. */
  readonly ttl: number;
  /** The names of its entities that have one join key -> that key. */
  readonly entityKeys: ReadonlyMap<string, string>;
}

/** What is registered at one moment, in the server's terms. */
export interface Snapshot {
  readonly views: ReadonlyMap<string, ServedView>;
  readonly byId: ReadonlyMap<string, ServedView>;
  readonly services: FeatureServices;
  /** Every column that is a join key of a registered entity. */
  readonly joinKeys: ReadonlySet<string>;
  /** Plans of what was asked for since. */
  readonly plans: Map<string, Plan>;
}

export function snapshotOf(scope: Scope, resources: ReadonlyMap<string, RegisteredResource>): Snapshot {
  const entities = new Map(
    [...resources.values()].flatMap((r) =>
      isKind(r, 'entity') ? [[r.id, { name: r.name, keys: Object.keys(r.spec.joinKeys) }] as const] : [],
    ),
  );
  const served = [...resources.values()].flatMap((r): ServedView[] =>
    isKind(r, 'view')
      ? [
          {
            id: r.id,
            name: r.location,
            runName: r.location === r.name ? r.name : `${r.name}.${r.variant}`,
            store: r.spec.online,
            view: onlineView(scope, r),
            features: new Set(r.spec.features.map(({ name }) => name)),
            ttl: r.spec.ttl === undefined ? 0 : Number(durationMicros(r.spec.ttl)),
            entityKeys: new Map(
              r.spec.entities.flatMap((id) => {
                const { name, keys = [] } = entities.get(id) ?? {};
                const [key] = keys;
                return name !== undefined && key !== undefined && keys.length === 1 ? [[name, key]] : [];
              }),
            ),
          },
        ]
      : [],
  );
  return {
    views: new Map(served.map((view) => [view.name, view])),
    byId: new Map(served.map((view) => [view.id, view])),
    services: featureServices(resources),
    joinKeys: new Set([...entities.values()].flatMap(({ keys }) => keys)),
    plans: new Map(),
  };
}
