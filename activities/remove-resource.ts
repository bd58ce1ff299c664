import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { CatalogEntry, CatalogKind } from '../registry/catalog.js';
import { findEntry } from '../registry/catalog-names.js';
import { removalRefused, type RemovalRequest } from '../registry/catalog-removal.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import { settleRun } from '../registry/settle.js';
import { crashPoint } from './crash-points.js';
import type { Removal, RemovalOutcome, RemovalQuestion } from './messages.js';
import { closeStatus } from './owner.js';
import type { Runtime } from './runtime.js';
import { currentRun, type Attempt } from './step.js';

/** More versions than a resource gets in a century of minutes would be. */
const ALL = 2 ** 31 - 1;

/**
 * A removal's first step: finds the resource and marks it, in place of a removal that was cut off. Runs whose workflow closed without saying so are
 * settled first.
 * @throws GranaryError `UnknownResource`, `InvalidInput`, `RemovalRefused`; nothing was changed then.
 */
export async function beginRemoval(runtime: Runtime, question: RemovalQuestion): Promise<Removal> {
  const run = currentRun();
  const { registry } = runtime;
  await registry.migrate();
  const entry = findEntry(await registry.catalog.entries(), question.resource);
  const { by, reason } = question;
  const request: RemovalRequest = { run, by, ...(reason === undefined ? {} : { reason }) };
  for (const open of await registry.removals.openRuns(entry)) await settleRun(registry, closeStatus, open);
  const other = await registry.removals.of(entry.id);
  if (other && other.id !== run.id && (await closeStatus(other)) === undefined)
    throw removalRefused(entry.id, [`the run ${other.workflowId} is deleting it already`]);
  await crashPoint('remove.before-mark');
  await registry.removals.mark(entry, request, other);
  await crashPoint('remove.after-mark');
  const versions = (await registry.datasets.versions(entry.id, ALL)).length;
  return {
    ...request,
    ...{ id: entry.id, kind: entry.kind, name: entry.name, versions },
    online: servedFrom(entry) !== undefined,
    heartbeatTimeout: runtime.heartbeatTimeout,
  };
}

/** The online store that a view may have values in. */
const servedFrom = ({ kind, spec }: Pick<CatalogEntry, 'kind' | 'spec'>): string | undefined =>
  kind === 'view' && 'online' in spec ? spec.online : undefined;

/** Removes a view's values from its online store; resolves to how many entities had some, where the store can tell. */
export async function removeOnline(
  runtime: Runtime,
  removal: Removal,
  { signal }: Attempt,
): Promise<number | undefined> {
  const view = resourceOf(await runtime.registry.resources.all(), removal.id, 'view');
  const online = runtime.providers.online(onlineStoreOf(view));
  const entities = await online.remove(onlineView(runtime.scope, view), () =>
    wanted(runtime, removal, signal),
  );
  await crashPoint('remove.after-online');
  return entities;
}

/** Removes a resource's versions from its stores: first what points to them, then each; of a database, its table. */
export async function removeFiles(runtime: Runtime, removal: Removal, { signal }: Attempt): Promise<void> {
  const { datasets } = runtime.registry;
  const all = (await datasets.versions(removal.id, ALL)).map(({ dataset }) => dataset);
  const databases = new Set(all.flatMap(({ table, store }) => (table ? [store] : [])));
  for (const database of databases)
    await runtime.providers.offline(database).drop(removal.id, async () => {
      const isWanted = await wanted(runtime, removal, signal);
      await crashPoint('remove.mid-files');
      return isWanted;
    });
  const versions = all.filter(({ table }) => !table);
  const names = new Set(versions.map(({ version }) => version));
  const places = new Map(versions.map(({ store, folder }) => [`${store}/${folder}`, { store, folder }]));
  const remove = async (store: string, path: string): Promise<void> => {
    // An attempt that slept past its time-outs must not touch what was built anew under the name.
    if (!(await wanted(runtime, removal, signal)))
      throw new GranaryError('StaleToken', `${removal.id} is not to be deleted by this run any more.`);
    await runtime.providers.files(store).remove(path);
  };
  for (const { store, folder } of places.values()) {
    const pointer = await runtime.providers.files(store).readText(`${folder}/latest.json`);
    const version = pointer === undefined ? undefined : versionIn(pointer);
    if (version !== undefined && !names.has(version)) continue;
    await remove(store, `${folder}/latest.json`);
    await remove(store, `${folder}/latest`);
  }
  for (const [i, { store, folder, version }] of versions.entries()) {
    await remove(store, `${folder}/${version}`);
    if (i === 0) await crashPoint('remove.mid-files');
  }
  await crashPoint('remove.after-files');
}

/** Forgets the resource, and notes who removed it and what went. */
export async function finishRemoval(
  runtime: Runtime,
  { entities, ...removal }: Removal & { readonly entities?: number },
): Promise<RemovalOutcome> {
  const { removals } = runtime.registry;
  const { id, kind, name, run, by, reason, versions } = removal;
  const result = { versions, ...(entities === undefined ? {} : { entities }) };
  // It may be done and the answer lost.
  const known = await removals.resultOf(id, run);
  if (!known) {
    await crashPoint('remove.before-rows');
    const entry = { id, kind: kind as CatalogKind, name };
    await removals.finish(entry, { run, by, ...(reason === undefined ? {} : { reason }) }, result);
    await crashPoint('remove.after-rows');
  }
  return { resource: id, ...result };
}

async function wanted(runtime: Runtime, { id, run }: Removal, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  return await runtime.registry.removals.isWanted(id, run);
}

/** The version that a latest.json names; undefined when it cannot be read. */
function versionIn(pointer: string): string | undefined {
  try {
    return String((JSON.parse(pointer) as { readonly version?: unknown }).version);
  } catch {
    return undefined;
  }
}
