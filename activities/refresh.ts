import type { Resource } from '../definitions/contract.js';
import { isAllTime } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import type { RegisteredResource } from '../registry/resources.js';
import { crashPoint } from './crash-points.js';
import type { StepRequest } from './messages.js';
import type { Runtime } from './runtime.js';

/**
 * Begins the full refresh of a view that a step is to load: from here on the view has a higher promotion number, and nothing counts as loaded.
 * Done already by this run, it changes nothing.
 */
export async function beginRefresh(runtime: Runtime, request: StepRequest, token: number): Promise<void> {
  const { run, step, interval, refresh } = request;
  const { refreshes, ownership } = runtime.registry;
  if (!refresh || (await refreshes.isBegun(step.id, run.id))) return;
  const { from, by } = refresh;
  // No interval is older than all of time: nothing could bring back what is removed, and no tombstone is needed.
  const to = isAllTime(interval) ? undefined : (refresh.to ?? interval.end);
  const claim = { target: step.id, interval };
  await crashPoint('refresh.before-begin');
  await ownership.commit(claim, run, token, (tx) =>
    refreshes.begin(
      tx,
      { view: step.id, by, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
      claim,
      run,
    ),
  );
  await crashPoint('refresh.after-begin');
}

/**
 * Removes the tombstones that a full refresh of a view has left, once no open run may bring what they hold off. It looks at every key of the store,
 * and so does nothing where the registry knows of none.
 */
export async function collectTombstones(
  { registry, providers, scope }: Runtime,
  view: RegisteredResource & Resource<'view'>,
): Promise<void> {
  const refresh = await registry.refreshes.collectable(view.id);
  if (!refresh) return;
  await crashPoint('refresh.before-collect');
  await providers
    .online(onlineStoreOf(view))
    .collectTombstones(onlineView(scope, view), Timestamp.from(refresh.to).micros + 1n);
  await crashPoint('refresh.after-collect');
  await registry.refreshes.markCollected(view.id, refresh.number);
}
