import { log } from '@temporalio/activity';
import type { Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { feastProject } from '../definitions/project.js';
import type { OnlineProvider, StoreState } from '../providers/online/provider.js';
import { onlineStoreOf, type ViewAtWork } from '../registry/online-view.js';
import type { StagedLoad } from './messages.js';
import type { Runtime } from './runtime.js';

type View = Resource<'view'> & Pick<ViewAtWork, 'location'>;

/**
 * Whose rows a view's online store holds. A store that has lost what it had acknowledged (it restarted from an older
 * dump, a replica took over, a backup was restored) lacks the receipt of the last load that the ledger knows: it gets a new id here, so that
 * everything is loaded again.
 */
export async function onlineContents(runtime: Runtime, view: View): Promise<StoreState> {
  const online = runtime.providers.online(onlineStoreOf(view));
  const project = feastProject(runtime.scope);
  const state = await online.state(project);
  // The ledger is asked first: a load that ends in between leaves a greater receipt in the store, never a smaller one.
  const recorded = await runtime.registry.ledger.lastReceipt(view.id, state.id);
  if (recorded <= (await online.receipt(project, view.location))) return state;
  log.warn('The online store lost rows that it had acknowledged; its views are loaded again', {
    store: online.description,
    view: view.name,
  });
  await online.renew(project, state.id);
  return await online.state(project);
}

/** @throws GranaryError `StoreReplaced` when the store is no longer the one that a load was staged for. */
export async function checkContents(runtime: Runtime, view: View, load: StagedLoad): Promise<void> {
  const online = runtime.providers.online(onlineStoreOf(view));
  const { id, server } = await online.state(feastProject(runtime.scope));
  if (id !== load.storeId || server !== (load.server ?? server)) throw storeReplaced(online, view);
}

export const storeReplaced = (online: OnlineProvider, view: { readonly name: string }): GranaryError =>
  new GranaryError(
    'StoreReplaced',
    `${online.description} was emptied, replaced or started anew while ${view.name} was loading. The load begins anew.`,
  );
