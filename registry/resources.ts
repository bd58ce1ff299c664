import { sql } from 'kysely';
import { canonicalJson } from '../definitions/canonical.js';
import type { PipelineSpec, Resource, ResourceKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { Database } from './database.js';

/** A resource as registered: where it is stored and what its default variant is. */
export interface RegisteredResource extends Resource {
  readonly location: string;
  readonly isDefault: boolean;
  readonly promotion: number;
}

export class Resources {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Registers definitions: new ones are added, equal ones left alone, all or nothing. The first variant of a name is its
   * default. Pipelines and what is for people (description, owner, tags) are updated.
   * @throws GranaryError `ResourceChanged` with a field-by-field diff; `InvalidDefinition` when two variants would be stored in one place.
   */
  async register(resources: Iterable<Resource>, pipelines: Iterable<PipelineSpec>): Promise<void> {
    await this.#database.db.transaction().execute(async (tx) => {
      // One registrar at a time: which variant is a name's first must not depend on a race.
      await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`granary:register:${this.#database.schema}`}, 0))`.execute(
        tx,
      );
      const known = new Map(
        (await tx.selectFrom('resources').selectAll().execute()).map((row) => [row.id, row]),
      );
      const changed: string[] = [];
      for (const resource of resources) {
        const found = known.get(resource.id);
        if (found && found.fingerprint === resource.fingerprint) {
          await tx
            .updateTable('resources')
            .set({ about: JSON.stringify(resource.about), timeout: resource.timeout ?? null })
            .where('id', '=', resource.id)
            .execute();
          continue;
        }
        if (found) {
          changed.push(describeChange(resource, found.spec));
          continue;
        }
        const others = [...known.values()].filter((row) => row.kind === resource.kind);
        const isDefault = !others.some((row) => row.name === resource.name && row.is_default);
        const location = isDefault ? resource.name : `${resource.name}_${resource.variant}`;
        const clash = others.find((row) => row.location === location);
        if (clash)
          throw new GranaryError(
            'InvalidDefinition',
            `${resource.id} and ${clash.id} would both be stored as "${location}". Choose another name or variant.`,
          );
        const row = {
          id: resource.id,
          kind: resource.kind,
          name: resource.name,
          variant: resource.variant,
          fingerprint: resource.fingerprint,
          spec: JSON.stringify(resource.spec),
          about: JSON.stringify(resource.about),
          timeout: resource.timeout ?? null,
          is_default: isDefault,
          location,
          error: null,
        };
        known.set(
          resource.id,
          await tx.insertInto('resources').values(row).returningAll().executeTakeFirstOrThrow(),
        );
      }
      if (changed.length > 0) throw new GranaryError('ResourceChanged', changed.join('\n'));
      for (const pipeline of pipelines) {
        const spec = JSON.stringify(pipeline);
        await tx
          .insertInto('pipelines')
          .values({ name: pipeline.name, spec })
          .onConflict((c) => c.column('name').doUpdateSet({ spec }))
          .execute();
      }
    });
  }

  /** Every registered resource by id. */
  async all(): Promise<Map<string, RegisteredResource>> {
    const rows = await this.#database.db.selectFrom('resources').selectAll().orderBy('created_at').execute();
    return new Map(
      rows.map((row) => [
        row.id,
        {
          id: row.id,
          kind: row.kind,
          name: row.name,
          variant: row.variant,
          fingerprint: row.fingerprint,
          spec: row.spec,
          about: row.about,
          ...(row.timeout === null ? {} : { timeout: row.timeout }),
          location: row.location,
          isDefault: row.is_default,
          promotion: row.promotion,
        },
      ]),
    );
  }

  /** Marks a resource's last outcome. */
  async mark(id: string, status: 'READY' | 'FAILED' | 'RUNNING', error?: string): Promise<void> {
    await this.#database.db
      .updateTable('resources')
      .set({ status, error: error ?? null })
      .where('id', '=', id)
      .execute();
  }
}

const KIND_WORDS: Record<ResourceKind, string> = {
  provider: 'PROVIDER',
  entity: 'ENTITY',
  source: 'SOURCE_VARIANT',
  view: 'FEATURE_VIEW_VARIANT',
  label: 'LABEL_VARIANT',
  trainingSet: 'TRAINING_SET_VARIANT',
};

function describeChange(resource: Resource, before: unknown): string {
  const remedy = resource.variant === '' ? 'Please use a new name.' : 'Please use a new variant.';
  const name = resource.variant === '' ? resource.name : `${resource.name} (${resource.variant})`;
  return [
    `${KIND_WORDS[resource.kind]} ${name} has changed. ${remedy}`,
    ...difference('', before, resource.spec).map((line) => `  ${line}`),
  ].join('\n');
}

/** Field by field: `path: before -> after`. */
function difference(path: string, before: unknown, after: unknown): string[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  const isObject = (v: unknown): v is Record<string, unknown> =>
    typeof v === 'object' && v !== null && !Array.isArray(v);
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => difference(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  const show = (v: unknown): string => (v === undefined ? '(absent)' : JSON.stringify(v));
  return [`${path}: ${show(before)} -> ${show(after)}`];
}
