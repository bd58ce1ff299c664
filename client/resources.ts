import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import { trainingSchema } from '../definitions/training-schema.js';
import type { Schema, ValueType } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import type { About, AboutChange, CatalogEntry, CatalogKind, ModelLink } from '../registry/catalog.js';
import { graphOf, lineageTree, type LineageNode } from '../registry/catalog-graph.js';
import { findEntry, kindOf, shortId } from '../registry/catalog-names.js';
import { obstacles } from '../registry/catalog-removal.js';
import { searchEntries } from '../registry/catalog-search.js';
import type { Registry } from '../registry/registry.js';
import { caller } from './caller.js';
import { versionLineage, type VersionLineage } from './lineage.js';
import type {
  RemovalPlan,
  ResourceDescription,
  ResourceDetail,
  ResourceEvent,
  ResourceSummary,
} from './resource-types.js';
import { profileOf, versionsOf, type DatasetVersion, type VersionProfile } from './versions.js';

/** Reads what is registered, and changes what may be changed at any time. Names are as commands take them: `view/user_features.v2`. */
export class ResourceCatalog {
  readonly #open: OpenProject;
  readonly #registry: Registry;

  constructor(open: OpenProject, registry: Registry) {
    this.#open = open;
    this.#registry = registry;
  }

  /** Everything registered, or one kind of it, by kind and name. */
  async list(kind?: string): Promise<ResourceSummary[]> {
    const wanted = kind === undefined ? undefined : kindOf(kind);
    return [...(await this.#entries()).values()]
      .filter((entry) => wanted === undefined || entry.kind === wanted)
      .map(summaryOf);
  }

  /** @throws GranaryError `UnknownResource`; `InvalidInput` when several kinds have the name. */
  async get(name: string): Promise<ResourceDetail> {
    const entries = await this.#entries();
    return detailOf(entries, findEntry(entries, name));
  }

  async describe(name: string): Promise<ResourceDescription> {
    const entries = await this.#entries();
    const entry = findEntry(entries, name);
    const versions = await versionsOf(this.#registry, entry.id, { limit: 5 });
    const profile = await profileOf(this.#registry, entry.id);
    return {
      ...detailOf(entries, entry),
      schema: await this.#schema(entry),
      locations: this.#locations(entry, versions),
      ...(profile === undefined ? {} : { profile }),
      versions,
      runs: await this.#registry.catalog.runs(entry, 5),
    };
  }

  async #schema(entry: CatalogEntry): Promise<Schema> {
    if (entry.kind !== 'trainingSet') return schemaOf(entry);
    const resources = await this.#registry.resources.all();
    return trainingSchema(resources, resourceOf(resources, entry.id, 'trainingSet'));
  }

  /**
   * What the rows of a version look like, and what its rules found; of the newest one unless another is named. Undefined where there is no version,
   * or where an earlier release made it.
   * @throws GranaryError `UnknownResource`.
   */
  async profile(name: string, version?: string): Promise<VersionProfile | undefined> {
    const { id } = findEntry(await this.#entries(), name);
    if (version !== undefined) await this.#version(id, version);
    return await profileOf(this.#registry, id, version);
  }

  /** The resources that a text finds, best first, and in which fields. */
  async search(text: string): Promise<(ResourceSummary & { readonly in: readonly string[] })[]> {
    return searchEntries((await this.#entries()).values(), text).map((hit) => ({
      ...summaryOf(hit.entry),
      in: hit.in,
    }));
  }

  /** What a resource comes from, and what comes from it. */
  async lineage(
    name: string,
  ): Promise<{ readonly id: string; readonly reads: LineageNode[]; readonly readBy: LineageNode[] }> {
    const entries = await this.#entries();
    const { id } = findEntry(entries, name);
    const { reads, readBy } = graphOf(entries);
    return { id, reads: lineageTree(reads, id), readBy: lineageTree(readBy, id) };
  }

  /** What a version was made from, down to files, and what was made from it: versions, online views, models. */
  async versionLineage(name: string, version: string): Promise<VersionLineage> {
    const { id } = findEntry(await this.#entries(), name);
    const { id: dataset } = await this.#version(id, version);
    return versionLineage(await this.#registry.lineage(dataset), dataset);
  }

  /** A resource's versions, the newest interval and generation first. */
  async versions(name: string, { limit = 50 }: { readonly limit?: number } = {}): Promise<DatasetVersion[]> {
    const entries = await this.#entries();
    const entry = findEntry(entries, name);
    const versions = await versionsOf(this.#registry, entry.id, { limit });
    if (versions.length > 0 || entry.kind === 'trainingSet' || isBuilt(entry)) return versions;
    const source = [entry, ...(graphOf(entries).reads.get(entry.id) ?? []).map((id) => entries.get(id))].find(
      (other) => other && isBuilt(other),
    );
    throw new GranaryError(
      'InvalidInput',
      `${entry.id} has no versions of its own: only feature sets, transformations and training sets have.${source ? ` It reads ${shortId(source)}, which has: granary versions ${shortId(source)}` : ''}`,
    );
  }

  /** What happened to a resource, oldest first: who registered, applied, changed or deleted it, and its runs. Also of one that is gone, by its id. */
  async history(name: string, { limit = 50 }: { readonly limit?: number } = {}): Promise<ResourceEvent[]> {
    const { catalog } = this.#registry;
    const entries = await this.#entries();
    const gone = await catalog.changes(name);
    const entry = gone.length > 0 ? entries.get(name) : findEntry(entries, name);
    const id = entry?.id ?? name;
    const changes = (await catalog.changes(id)).map(({ at, by, action, run, detail }) => ({
      ...{ at, by, what: action },
      detail: run === '' ? detail : { ...detail, run },
    }));
    const applies = (await catalog.applies(id)).map(({ at, by, apply, status }) => ({
      ...{ at, by, what: 'apply' },
      detail: { apply, status },
    }));
    const runs = entry ? await catalog.runs(entry, limit) : [];
    const missed = entry
      ? await this.#registry.events.list(
          entry.kind === 'pipeline' ? { pipeline: entry.name } : { step: entry.id },
          limit,
        )
      : [];
    const events: ResourceEvent[] = [
      ...(entry ? [{ at: entry.since, by: '', what: SINCE[entry.kind] ?? 'registered', detail: {} }] : []),
      ...[...changes, ...applies],
      ...missed.map(({ at, kind, interval: { end }, ...about }) => ({
        ...{ at, by: '', what: `deadline ${kind}` },
        detail: { end, deadline: about.deadline, message: about.message },
      })),
      ...runs.map(({ startedAt, type, ...run }) => ({
        at: startedAt,
        by: '',
        what: `run ${type}`,
        detail: run,
      })),
    ];
    return events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }

  /** Changes what people say about a resource: tags are united, properties merged. */
  async tag(name: string, change: AboutChange): Promise<About> {
    const { id } = findEntry(await this.#entries(), name);
    return await this.#registry.catalog.tag(id, change, caller());
  }

  /**
   * Pins the version of a training set that a model was trained on: `fraud_training@v_20260131T000312`, or the version's name where one training set
   * alone has it. That version's set cannot be deleted while the model is there.
   */
  async linkModel(model: string, version: string): Promise<ModelLink> {
    if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(model))
      throw new GranaryError(
        'InvalidInput',
        `"${model}" cannot be a model's name. Use letters, digits, "_", "-" and ".", with a letter first.`,
      );
    const { target, id, name } = await this.#trainingSetVersion(version);
    await this.#registry.catalog.link(model, target, id, name, caller());
    const links = await this.#registry.catalog.links([id]);
    return links.find((link) => link.model === model) as ModelLink;
  }

  /** What the deletion of a resource would do; nothing is changed. */
  async removal(name: string): Promise<RemovalPlan> {
    const { catalog, removals } = this.#registry;
    const entry = findEntry(await this.#entries(), name);
    const open = await removals.openRuns(entry);
    const versions = await versionsOf(this.#registry, entry.id, { limit: 2 ** 31 - 1 });
    const folders = new Map<string, number>();
    for (const { uri } of versions) {
      const folder = this.#folder(uri);
      folders.set(folder, (folders.get(folder) ?? 0) + 1);
    }
    const online = onlineStore(entry);
    return {
      id: entry.id,
      against: [
        ...(await obstacles(catalog, entry)),
        ...open.map(({ workflowId }) => `the run ${workflowId} is making it: wait for it, or cancel it`),
      ],
      removes: [
        ...[...folders].map(([folder, n]) => `${n} ${n === 1 ? 'version' : 'versions'} in ${folder}`),
        ...(online === undefined ? [] : [`its values of every entity in ${this.#onlineAddress(online)}`]),
        `its ${entry.kind === 'model' ? 'links' : 'definition'} in the registry`,
      ],
    };
  }

  /** The address of what lies in a store, or the store's name where its settings are not at hand. */
  #address(store: string, path: string): string {
    try {
      return this.#open.providers.files(store).uri(path);
    } catch (error) {
      if (!(error instanceof GranaryError)) throw error;
      return `${store}:${path}`;
    }
  }

  #onlineAddress(store: string): string {
    try {
      return this.#open.providers.online(store).description;
    } catch (error) {
      if (!(error instanceof GranaryError)) throw error;
      return store;
    }
  }

  #locations(entry: CatalogEntry, versions: readonly DatasetVersion[]): string[] {
    const online = onlineStore(entry);
    const { spec } = entry;
    return [
      ...('path' in spec ? [`${this.#address(spec.store, '')}/${spec.path}`] : []),
      ...new Set(versions.map(({ uri }) => this.#folder(uri))),
      ...(online === undefined ? [] : [`${entry.location ?? ''} in ${this.#onlineAddress(online)}`]),
    ];
  }

  #folder({ store, path }: DatasetVersion['uri']): string {
    return this.#address(store, path).replace(/[^/]*$/, '');
  }

  async #entries(): Promise<ReadonlyMap<string, CatalogEntry>> {
    // Whoever asks may be newer than the worker that ran last.
    await this.#registry.migrate();
    return await this.#registry.catalog.entries();
  }

  async #version(target: string, version: string): Promise<{ readonly id: string }> {
    const found = await this.#registry.datasets.named(target, version);
    if (found) return found;
    throw new GranaryError(
      'UnknownResource',
      `${target} has no version "${version}". See them: granary versions ${target}`,
    );
  }

  async #trainingSetVersion(text: string): Promise<{ target: string; id: string; name: string }> {
    const [set, version] = text.includes('@')
      ? [text.slice(0, text.indexOf('@')), text.slice(text.indexOf('@') + 1)]
      : [undefined, text];
    const entries = await this.#entries();
    const sets = [...entries.values()].filter(({ kind }) => kind === 'trainingSet');
    const chosen = set === undefined ? sets : [findEntry(new Map(sets.map((s) => [s.id, s])), set)];
    const found = (
      await Promise.all(chosen.map(({ id }) => this.#registry.datasets.named(id, version)))
    ).flatMap((dataset) => (dataset ? [dataset] : []));
    const [only, other] = found;
    if (only && !other) return { target: only.target, id: only.id, name: only.version };
    throw new GranaryError(
      other ? 'InvalidInput' : 'UnknownResource',
      other
        ? `Several training sets have a version ${version}: ${found.map(({ target }) => target).join(', ')}. Write the set before it: <training set>@${version}`
        : `No training set has a version "${text}". Write <training set>@<version>; "granary versions <training set>" shows them.`,
    );
  }
}

const SINCE: Readonly<Partial<Record<CatalogKind, string>>> = { pipeline: 'changed', model: 'first linked' };

function summaryOf(entry: CatalogEntry): ResourceSummary {
  const { id, kind, name, variant, isDefault, status, error, about } = entry;
  return { id, kind, name, variant, default: isDefault, status, error, about };
}

function detailOf(entries: ReadonlyMap<string, CatalogEntry>, entry: CatalogEntry): ResourceDetail {
  const graph = graphOf(entries);
  const same = [...entries.values()].filter(({ kind, name }) => kind === entry.kind && name === entry.name);
  return {
    ...summaryOf(entry),
    definition: entry.spec,
    fingerprint: entry.fingerprint,
    variants: same.map(({ variant }) => variant).filter((variant) => variant !== ''),
    reads: graph.reads.get(entry.id) ?? [],
    readBy: graph.readBy.get(entry.id) ?? [],
    since: entry.since,
  };
}

const isBuilt = ({ kind, spec }: CatalogEntry): boolean => kind === 'source' && 'build' in spec;

const onlineStore = ({ kind, spec }: CatalogEntry): string | undefined =>
  kind === 'view' && 'online' in spec ? spec.online : undefined;

function schemaOf({ kind, spec }: CatalogEntry): Schema {
  const typed = (list: readonly { readonly name: string; readonly type: ValueType }[]): Schema =>
    Object.fromEntries(list.map(({ name, type }) => [name, type]));
  if ('schema' in spec)
    return Object.fromEntries(spec.columns.map((name) => [name, spec.schema[name] as ValueType]));
  if (kind === 'view' && 'joinKeys' in spec && Array.isArray(spec.joinKeys))
    return { ...typed(spec.joinKeys), ...typed('features' in spec ? (spec.features as never) : []) };
  if (kind === 'entity' && 'joinKeys' in spec) return { ...(spec.joinKeys as Schema) };
  if (kind === 'label' && 'value' in spec) return { [spec.value]: spec.type };
  return {};
}
