import type { Resource } from '../definitions/contract.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { onlineStoreOf, onlineView, type ViewAtWork } from '../registry/online-view.js';
import type { RegisteredResource } from '../registry/resources.js';
import { exportFeast } from './export-feast.js';
import type { Resources } from './inputs.js';
import type { StagedLoad, StepRequest } from './messages.js';
import { storeReplaced } from './online-contents.js';
import type { Runtime } from './runtime.js';

/** The view that a step loads: as it is registered or, in a promotion, as it will be. */
export function viewAtWork(
  resources: Resources,
  { step, promotion }: StepRequest,
): Resource<'view'> & RegisteredResource & ViewAtWork {
  const view = resourceOf(resources, step.id, 'view');
  if (promotion?.to !== view.id) return view;
  const before = resourceOf(resources, promotion.from, 'view');
  return {
    ...view,
    location: promotion.name,
    promotion: promotion.number,
    retired: retiredFeatures(before, view),
  };
}

/** Features that a view's name had before and has not any more. */
const retiredFeatures = (before: Resource<'view'>, now: Resource<'view'>): string[] =>
  before.spec.features
    .map(({ name }) => name)
    .filter((name) => !now.spec.features.some((feature) => feature.name === name));

/**
 * Refuses a load of a view that bears another name, or another promotion, than when it was staged.
 * @throws GranaryError `StoreReplaced`: the workflow then stages everything again.
 */
export function requireUnmoved(
  runtime: Runtime,
  view: Resource<'view'> & Pick<ViewAtWork, 'location' | 'promotion'>,
  load: StagedLoad,
): void {
  const moved =
    view.location !== (load.location ?? view.location) ||
    view.promotion !== (load.promotion ?? view.promotion);
  if (moved) throw storeReplaced(runtime.providers.online(onlineStoreOf(view)), view);
}

/**
 * Whether rows from before a promotion or a refresh may still be online. A load then brings everything, whatever part it was asked for: what it left
 * out would be taken away after it, and what it brought would win over newer rows of a lower number.
 */
export async function isUnsettled({ registry }: Runtime, view: RegisteredResource): Promise<boolean> {
  if ((await registry.refreshes.unretired(view.id)).length > 0) return true;
  return view.isDefault && (await registry.promotions.unretired(view.name)).length > 0;
}

/**
 * Takes away what promotions of a view's name, and full refreshes of the view, replaced online: entities that no version brought under the number
 * of now, and the rows under the name that the view itself bore before. Any load does it, so that a promotion or a refresh that was killed is
 * finished by the next run. Resolves to how many entities went.
 */
export async function retireReplaced(
  runtime: Runtime,
  view: RegisteredResource & Resource<'view'>,
): Promise<number> {
  const { registry, providers, scope } = runtime;
  const refreshes = await registry.refreshes.unretired(view.id);
  const pending = view.isDefault ? await registry.promotions.unretired(view.name) : [];
  if (pending.length === 0 && refreshes.length === 0) return 0;
  // A promotion that was cut off has not told Feast's readers: they follow before what they read by now goes.
  if (pending.length > 0) await exportFeast(runtime);
  const resources = await registry.resources.all();
  const online = providers.online(onlineStoreOf(view));
  const others = pending.flatMap(({ from, to }) =>
    [from, to].flatMap((id) => {
      const other = resources.get(id);
      return other && other.id !== view.id ? [other as Resource<'view'> & RegisteredResource] : [];
    }),
  );
  const target = {
    ...onlineView(scope, view),
    retired: [...new Set(others.flatMap((other) => retiredFeatures(other, view)))],
  };
  await online.fence(target, view.promotion);
  // What a refresh removes must not come back with an older interval; what another variant had is none of this one's.
  const end = refreshes.find(({ number }) => number === view.promotion)?.to;
  const removed = await online.removeBelow(
    target,
    view.promotion,
    end === undefined ? undefined : { eventTime: Timestamp.from(end).micros },
  );
  // The place where it lay before it became the default, unless somebody bears that name by now.
  const former = `${view.name}_${view.variant}`;
  const isFree = async (): Promise<boolean> =>
    ![...(await registry.resources.all()).values()].some(
      ({ kind, location }) => kind === 'view' && location === former,
    );
  if (pending.length > 0 && (await isFree()))
    await online.remove({ ...onlineView(scope, view), name: former }, isFree);
  if (pending.length > 0) await registry.promotions.markRetired(view.name, view.promotion);
  await registry.refreshes.markRetired(view.id, view.promotion);
  return removed;
}
