import { sql } from 'kysely';
import type { PipelineSpec, Resource, ResourceKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { Interval } from '../definitions/interval.js';
import { Audit, type AuditEntry } from './audit.js';
import type { Database } from './database.js';
import type { ResourceStatus, RunStatus, StepStatus } from './tables.js';

export type CatalogKind = ResourceKind | 'pipeline' | 'model';

/** What people say about a resource. It changes freely: no variant, no fingerprint and no run depends on it. */
export interface About {
  readonly description?: string;
  readonly owner?: string;
  readonly tags?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
}

/** A resource, a pipeline or a model, as it is registered. */
export interface CatalogEntry {
  /** `source/flights.1a2b3c4d`, `pipeline/flights_daily`, `model/churn`. */
  readonly id: string;
  readonly kind: CatalogKind;
  readonly name: string;
  /** Empty where there are no variants. */
  readonly variant: string;
  readonly isDefault: boolean;
  /** Undefined for pipelines and models. */
  readonly status: ResourceStatus | 'DELETING' | undefined;
  readonly error: string | undefined;
  readonly about: About;
  readonly spec: Resource['spec'] | PipelineSpec | { readonly trainedOn: readonly ModelLink[] };
  /** Undefined for pipelines and models. */
  readonly fingerprint: string | undefined;
  readonly location: string | undefined;
  /** When it was first registered; a pipeline: last changed; a model: first linked. */
  readonly since: string;
}

/** A version of a training set that a model was trained on. */
export interface ModelLink {
  readonly model: string;
  readonly trainingSet: string;
  readonly version: string;
  readonly dataset: string;
  readonly by: string;
  readonly at: string;
}

/** A run that had a resource among its steps. */
export interface ResourceRun {
  readonly run: string;
  readonly workflowId: string;
  readonly type: string;
  readonly interval: Interval;
  readonly status: RunStatus;
  /** How the resource's own step ended. */
  readonly step: StepStatus;
  readonly error: string | undefined;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
}

/** What to change of what people say: tags are united, properties merged, the rest is replaced. */
export interface AboutChange {
  readonly addTags?: readonly string[];
  readonly removeTags?: readonly string[];
  readonly owner?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly removeProperties?: readonly string[];
}

/** Reading what is registered, and what may be changed of it at any time. */
export class Catalog {
  readonly #database: Database;
  readonly #audit: Audit;

  constructor(database: Database) {
    this.#database = database;
    this.#audit = new Audit(database);
  }

  /** Everything registered by id, sorted by kind, name and variant. */
  async entries(): Promise<ReadonlyMap<string, CatalogEntry>> {
    const { db } = this.#database;
    const resources = await db
      .selectFrom('resources')
      .leftJoin('removals', 'removals.target', 'resources.id')
      .selectAll('resources')
      .select('removals.target as removing')
      .execute();
    const pipelines = await db.selectFrom('pipelines').selectAll().execute();
    const links = await this.links();
    const entries: CatalogEntry[] = [
      ...resources.map((row) => ({
        id: row.id,
        kind: row.kind,
        name: row.name,
        variant: row.variant,
        isDefault: row.is_default && row.variant !== '',
        status: row.removing === null ? row.status : ('DELETING' as const),
        error: row.error ?? undefined,
        about: row.about,
        spec: row.spec,
        fingerprint: row.fingerprint,
        location: row.location,
        since: row.created_at,
      })),
      ...pipelines.map(({ name, spec, updated_at }) => ({
        ...named('pipeline', name),
        about: spec.about,
        spec,
        since: updated_at,
      })),
      ...[...new Set(links.map(({ model }) => model))].map((name) => {
        const trainedOn = links.filter(({ model }) => model === name);
        return { ...named('model', name), about: {}, spec: { trainedOn }, since: trainedOn[0]?.at ?? '' };
      }),
    ];
    entries.sort(
      (a, b) => compare(a.kind, b.kind) || compare(a.name, b.name) || compare(a.variant, b.variant),
    );
    return new Map(entries.map((entry) => [entry.id, entry]));
  }

  /** Which model was trained on what, oldest link first; of some versions alone where datasets are given. */
  async links(datasets?: readonly string[]): Promise<ModelLink[]> {
    if (datasets?.length === 0) return [];
    let query = this.#database.db
      .selectFrom('models')
      .innerJoin('datasets', 'datasets.id', 'models.dataset_id')
      .select(['models.name', 'models.target', 'models.dataset_id', 'models.linked_by', 'models.at'])
      .select('datasets.version')
      .orderBy('models.at')
      .orderBy('models.name');
    if (datasets) query = query.where('models.dataset_id', 'in', datasets);
    return (await query.execute()).map((row) => ({
      model: row.name,
      trainingSet: row.target,
      version: row.version,
      dataset: row.dataset_id,
      by: row.linked_by,
      at: row.at,
    }));
  }

  /** Pins what a model was trained on; `false` when it was linked so already. */
  async link(model: string, target: string, dataset: string, version: string, by: string): Promise<boolean> {
    return await this.#database.db.transaction().execute(async (tx) => {
      const made = await tx
        .insertInto('models')
        .values({ name: model, dataset_id: dataset, target, linked_by: by })
        .onConflict((c) => c.columns(['name', 'dataset_id']).doNothing())
        .returning('name')
        .executeTakeFirst();
      if (!made) return false;
      for (const id of [target, `model/${model}`])
        await this.#audit.record(tx, id, {
          by,
          action: 'link',
          run: '',
          detail: { model, version, trainingSet: target },
        });
      return true;
    });
  }

  /**
   * Changes what people say about a resource; resolves to what is said then.
   * @throws GranaryError `UnknownResource`.
   */
  async tag(id: string, change: AboutChange, by: string): Promise<About> {
    return await this.#database.db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('resources')
        .select('about')
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst();
      if (!row)
        throw new GranaryError(
          'UnknownResource',
          `${id} is no registered resource: only those have tags of their own.`,
        );
      const about = changed(row.about, change);
      await tx
        .updateTable('resources')
        .set({ about: JSON.stringify(about) })
        .where('id', '=', id)
        .execute();
      await this.#audit.record(tx, id, { by, action: 'tag', run: '', detail: { ...change } });
      return about;
    });
  }

  /** The runs that had a resource among their steps, newest first. A pipeline's are those that it made. */
  async runs({ id, kind, name }: CatalogEntry, limit: number): Promise<ResourceRun[]> {
    const rows = await this.#database.db
      .selectFrom('runs')
      .leftJoin('steps', (join) =>
        join.onRef('steps.run_id', '=', 'runs.run_id').on('steps.step_id', '=', id),
      )
      .selectAll('runs')
      .select(['steps.status as step', 'steps.error as step_error'])
      .where((eb) =>
        kind === 'pipeline' ? eb('runs.pipeline', '=', name) : eb('steps.step_id', 'is not', null),
      )
      .orderBy('runs.started_at', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      run: row.run_id,
      workflowId: row.workflow_id,
      type: row.type,
      interval: { start: row.interval_start, end: row.interval_end },
      status: row.status,
      step: row.step ?? 'PENDING',
      error: row.step_error ?? row.error ?? undefined,
      startedAt: row.started_at,
      endedAt: row.ended_at ?? undefined,
    }));
  }

  /** What people did to a resource by hand, oldest first; also to one that is gone. */
  async changes(id: string): Promise<AuditEntry[]> {
    return await this.#audit.of(id);
  }

  /** The applies whose definitions had a resource, oldest first. */
  async applies(id: string): Promise<{ at: string; by: string; apply: string; status: string }[]> {
    return await this.#database.db
      .selectFrom('applies')
      .select(['at', 'actor as by', 'id as apply', 'status'])
      .where(
        sql<boolean>`jsonb_path_exists(contract, '$.resources.**.id ? (@ == $id)', jsonb_build_object('id', ${id}::text))`,
      )
      .orderBy('at')
      .execute();
  }
}

const named = (kind: 'pipeline' | 'model', name: string) => ({
  id: `${kind}/${name}`,
  kind,
  name,
  variant: '',
  isDefault: false,
  status: undefined,
  error: undefined,
  fingerprint: undefined,
  location: undefined,
});

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function changed(about: About, change: AboutChange): About {
  const removed = new Set(change.removeTags);
  const tags = [...new Set([...(about.tags ?? []), ...(change.addTags ?? [])])].filter(
    (tag) => !removed.has(tag),
  );
  const dropped = new Set(change.removeProperties);
  const properties = Object.fromEntries(
    Object.entries({ ...about.properties, ...change.properties }).filter(([key]) => !dropped.has(key)),
  );
  const { owner = about.owner, description = about.description } = change;
  return {
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
  };
}
