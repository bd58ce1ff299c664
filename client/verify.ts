import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { isRaw, type Resource } from '../definitions/contract.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import { feastProject } from '../definitions/project.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { OpenProject } from '../providers/bind.js';
import { newestRows } from '../providers/offline/newest-rows.js';
import { sourceShape, type Bounds } from '../providers/offline/source-relation.js';
import { compareRows, newComparison, type Difference } from '../providers/online/compare-rows.js';
import { keyRows, shardRelation, toOnline } from '../providers/staged-shard.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import { recordedVersions, refreshedIntervals } from '../registry/recorded-versions.js';
import type { Registry } from '../registry/registry.js';
import { wantedOf } from './feature-vectors.js';
import type { ServedView } from './features.js';
import { openScratch } from './scratch.js';
import { sourceFiles } from './source-files.js';

/** What a view's online store holds beside what the offline store says now. */
export interface Verification {
  /** The view's id. */
  readonly view: string;
  /** The online store. */
  readonly location: string;
  /** Entities that the current versions, or the raw source, have. */
  readonly entities: number;
  /** How many of them were compared. */
  readonly compared: number;
  readonly equal: number;
  /** The store holds a newer row. */
  readonly newer: number;
  /** The store holds no row. */
  readonly missing: number;
  /** The store holds other values, or an older row. */
  readonly different: number;
  /** The first of what is missing or different. */
  readonly examples: readonly Difference[];
  /** Intervals of which the current version is not loaded, by the ledger. */
  readonly notLoaded: readonly Interval[];
}

/** Entities that are compared unless all are asked for. */
const SAMPLE = 10_000;
const ROWS_PER_SHARD = 500_000;
const ROWS_PER_GROUP = 20_000;

/**
 * Compares the newest row per entity of a view's source, as it is now, with what the online store holds, feature by feature. Entities are sampled evenly
 * over the keys, or `all` are taken. Reads only. What is loaded meanwhile may be told as different. Entities that only the online store has are not
 * looked for.
 * @throws GranaryError `UnknownResource`; `InvalidInput` when the view is not served online; `SourceMissing` when there is nothing yet.
 */
export async function verifyView(
  { open, registry }: { readonly open: OpenProject; readonly registry: Registry },
  name: string,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Verification> {
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const resources = await registry.resources.all();
  const { view } = wantedOf(resources, name);
  const source = resourceOf(resources, view.spec.source, 'source');
  const online = open.providers.online(onlineStoreOf(view));
  const target = onlineView(open.scope, view);
  const { bounds, notLoaded, isWanted } = await loadsOf({ open, registry }, view, source);
  await using scratch = await openScratch({
    memoryLimit: `${Math.max(512, Math.floor(totalmem() / 2 ** 21))}MiB`,
    threads: availableParallelism(),
  });
  const found = await sourceFiles({ providers: open.providers, registry, scratch }, source, bounds, isWanted);
  const relation = isRaw(source.spec) ? { ...found, ...sourceShape(source, bounds) } : found;
  await scratch.session.inspect(relation);
  const folder = join(scratch.folder, 'newest');
  await mkdir(folder);
  const shards = await scratch.session.stageNewest({
    ...newestRows(view, source, { relation, eventTime: UNKNOWN, rowsPerShard: ROWS_PER_SHARD }),
    rowsPerGroup: ROWS_PER_GROUP,
    folder,
  });
  const entities = shards.reduce((sum, { rows }) => sum + rows, 0);
  const every = all ? 1 : Math.max(1, Math.floor(entities / SAMPLE));
  const total = newComparison();
  const features = target.features.map((feature) => feature.name);
  for (const { file } of shards) {
    const path = join(folder, file);
    const shard = shardRelation(target, { name: `the newest rows of ${view.name}`, path, uri: path });
    for await (const columns of scratch.session.read(shard, { fromRow: 0, every })) {
      const batch = toOnline(columns, target);
      const stored = await online.read(target, keyRows(batch), features);
      compareRows(target, view.promotion, batch, stored, total, source.spec.timestampField !== undefined);
    }
  }
  const { equal, newer, missing, different, examples } = total;
  return {
    view: view.id,
    location: online.description,
    entities,
    compared: equal + newer + missing + different,
    ...{ equal, newer, missing, different },
    examples,
    notLoaded,
  };
}

/** The event time of rows without one: it is not compared. */
const UNKNOWN = '1970-01-01T00:00:00Z';

/** What the ledger says of a view's loads: rows of a raw source that none took, versions that none took, and which intervals count since a full refresh. */
async function loadsOf(
  { open, registry }: { readonly open: OpenProject; readonly registry: Registry },
  view: ServedView,
  source: Resource<'source'>,
): Promise<{
  readonly bounds: Bounds;
  readonly notLoaded: readonly Interval[];
  readonly isWanted: (interval: Interval) => boolean;
}> {
  const isWanted = await refreshedIntervals(registry, view.id);
  const { id: storeId } = await open.providers.online(onlineStoreOf(view)).state(feastProject(open.scope));
  if (isRaw(source.spec)) {
    const entries = await registry.ledger.of(view.id);
    const ends = entries.filter((entry) => entry.storeId === storeId).map(({ interval }) => interval);
    const last = ends.at(-1);
    const bounds = last === undefined || ends.some(isAllTime) ? {} : { before: last.end };
    return { bounds, notLoaded: [], isWanted };
  }
  const { missing } = await recordedVersions(registry, view, source, { storeId });
  return {
    bounds: {},
    notLoaded: missing.map(({ interval }) => interval),
    isWanted,
  };
}
