import { publishedPath, type Dataset } from '../registry/dataset.js';
import type { Registry } from '../registry/registry.js';
import { crashPoint } from './crash-points.js';
import type { Runtime } from './runtime.js';
import { placesOf } from './table-places.js';

/**
 * Puts a committed version where readers look, if it is not there yet: copies exactly the recorded bytes, or moves the recorded table. Anyone may repeat it.
 */
export async function ensurePublished(runtime: Runtime, dataset: Dataset): Promise<Dataset> {
  if (dataset.published) return dataset;
  if (dataset.table) {
    const { id, target, interval, generation, table } = dataset;
    await runtime.providers
      .offline(dataset.store)
      .publish({ dataset: id, target, interval, generation, staged: table.staged }, placesOf(runtime));
    return await published(runtime, dataset);
  }
  const store = runtime.providers.files(dataset.store);
  for (const [i, file] of dataset.files.entries()) {
    await store.publish(
      { path: file.staged, bytes: file.bytes, sha256: file.sha256 },
      publishedPath(dataset, file.name),
    );
    if (i === 1) await crashPoint('store.mid-publish');
  }
  return await published(runtime, dataset);
}

async function published(runtime: Runtime, dataset: Dataset): Promise<Dataset> {
  await crashPoint('store.after-publish');
  await runtime.registry.datasets.markPublished(dataset.id);
  return { ...dataset, published: true };
}

/** The address of a version, for people: of a table, by the name that it has now. */
export async function locationOf(runtime: Runtime, dataset: Dataset): Promise<string> {
  const { providers } = runtime;
  const { store, table } = dataset;
  return table
    ? providers.offline(store).uri((await placesOf(runtime)()).get(dataset.target) ?? table.name)
    : providers.files(store).uri(publishedPath(dataset, ''));
}

/** Points `latest` at the newest committed version of a target: the projection that any later run repairs. */
export async function projectLatest(runtime: Runtime, target: string): Promise<void> {
  const { registry } = runtime;
  for (;;) {
    const found = await newestInPlace(registry, target);
    if (!found) return;
    const newest = await ensurePublished(runtime, found);
    const outcome = await runtime.providers.files(newest.store).pointLatest(
      newest.folder,
      {
        version: newest.version,
        interval: newest.interval,
        generation: newest.generation,
        files: newest.files.map(({ name, bytes, sha256 }) => ({ path: name, bytes, sha256 })),
      },
      async () => {
        const isNewest = (await newestInPlace(registry, target))?.id === newest.id;
        await crashPoint('store.mid-latest');
        return isNewest;
      },
    );
    // A newer version was committed meanwhile: project that one.
    if (outcome !== 'superseded') return;
  }
}

/**
 * The newest version of a target that has a `latest`, where it lies in the folder of the target's name of this moment: a variant that bears the plain
 * name no more has nothing to say there, and none of its own under its new name until its next version.
 */
async function newestInPlace(registry: Registry, target: string): Promise<Dataset | undefined> {
  const newest = await registry.datasets.newest(target);
  if (!newest?.hasLatest) return undefined;
  return (await registry.resources.location(target)) === newest.folder ? newest : undefined;
}
