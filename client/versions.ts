import { isKind } from '../definitions/contract.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import { findFeatureSet } from '../definitions/target.js';
import type { RollbackEntry } from '../registry/audit.js';
import { findEntry } from '../registry/catalog-names.js';
import type { Dataset } from '../registry/dataset.js';
import type { Registry } from '../registry/registry.js';
import { staleIntervals, type StaleInterval } from '../registry/stale.js';
import type { Profile } from '../definitions/profile.js';
import type { RuleResult } from '../definitions/validation.js';

/** One version of a feature set, a transformation or a training set. */
export interface DatasetVersion {
  /** Name of its folder. */
  readonly version: string;
  readonly interval: Interval;
  readonly generation: number;
  /** ISO-8601. */
  readonly committedAt: string;
  readonly rows: number;
  /** Temporal's id of the run that made it, and its workflow's where the registry knows the run. */
  readonly run: string;
  readonly workflowId: string | undefined;
  /** Whether it is what readers see. */
  readonly current: boolean;
  /** Where it lies: a path in a file store. */
  readonly uri: { readonly store: string; readonly path: string };
  /** Of a current version of a training set that late or corrected rows upstream have touched: which; see `staleIntervals`. */
  readonly stale?: readonly string[];
  /** Models that were trained on it. */
  readonly models: readonly string[];
  /** Of a version that a rollback made: whose bytes it has, what it took the place of, by whom and why. */
  readonly rollback?: RollbackEntry;
}

/** What the rows of a version look like, and what its rules found. */
export interface VersionProfile {
  readonly version: string;
  readonly interval: Interval;
  readonly profile: Profile;
  /** Every rule; one that did not pass only warns, or there were no version. */
  readonly validation: readonly RuleResult[];
}

/** One version of a feature set's newest interval. */
export type FeatureSetVersion = DatasetVersion;

/** The versions of the newest interval, newest generation first; none when it was never built. */
export async function listVersions(registry: Registry, name: string): Promise<FeatureSetVersion[]> {
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const { id } = findFeatureSet(await registry.resources.all(), name, 'rollback');
  const newest = await registry.datasets.newest(id);
  return newest ? await versionsOf(registry, id, { interval: newest.interval }) : [];
}

/** A target's versions, the newest interval and generation first; of one interval where it is given. */
export async function versionsOf(
  registry: Registry,
  target: string,
  { limit = 1000, interval }: { readonly limit?: number; readonly interval?: Interval },
): Promise<DatasetVersion[]> {
  const rollbacks = new Map((await registry.audit.rollbacks(target)).map((entry) => [entry.version, entry]));
  const versions = await registry.datasets.versions(target, limit, interval);
  const links = await registry.catalog.links(versions.map(({ dataset }) => dataset.id));
  const shown = new Set(versions.map(({ dataset }) => dataset.id));
  const stale = new Map(
    (await staleOfTarget(registry, target, ({ id }) => shown.has(id))).map((found) => [
      intervalName(found.interval),
      found.reasons,
    ]),
  );
  return versions.map(({ dataset, current, workflowId }): DatasetVersion => {
    const { version, generation, committedAt, rows, run, store, folder } = dataset;
    const rollback = rollbacks.get(version);
    const reasons = current ? stale.get(intervalName(dataset.interval)) : undefined;
    return {
      ...{ version, interval: dataset.interval, generation, committedAt, rows, run, workflowId, current },
      uri: { store, path: `${folder}/${version}` },
      models: links.filter((link) => link.dataset === dataset.id).map(({ model }) => model),
      ...(rollback === undefined ? {} : { rollback }),
      ...(reasons === undefined ? {} : { stale: reasons }),
    };
  });
}

/** The stale intervals of a training set by name. @throws GranaryError `UnknownResource`. */
export async function staleOf(registry: Registry, name: string): Promise<StaleInterval[]> {
  await registry.migrate();
  const entries = await registry.catalog.entries();
  const sets = new Map([...entries].filter(([, { kind }]) => kind === 'trainingSet'));
  return await staleOfTarget(registry, findEntry(sets, name).id);
}

async function staleOfTarget(
  registry: Registry,
  target: string,
  wanted?: (dataset: Dataset) => boolean,
): Promise<StaleInterval[]> {
  // Other kinds have no stale intervals: nothing is read for them.
  if (!target.startsWith('trainingSet/')) return [];
  const set = (await registry.resources.all()).get(target);
  return set && isKind(set, 'trainingSet') ? await staleIntervals(registry, set, wanted) : [];
}

/** What was found of a target's version; of the newest interval and generation unless one is named. */
export async function profileOf(
  registry: Registry,
  target: string,
  version?: string,
): Promise<VersionProfile | undefined> {
  const dataset =
    version === undefined
      ? await registry.datasets.newest(target)
      : await registry.datasets.named(target, version);
  const facts = dataset && (await registry.facts.of(dataset.id));
  if (!facts) return undefined;
  const { profile, validation } = facts;
  return { version: dataset.version, interval: dataset.interval, profile, validation };
}
