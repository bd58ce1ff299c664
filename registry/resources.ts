import { sql, type Kysely, type Transaction } from 'kysely';
import type { ResourceKind, PipelineSpec, Resource } from '../definitions/contract.js';
import { changesOf, type Changes } from '../definitions/diff.js';
import { GranaryError } from '../definitions/errors.js';
import type { Database } from './database.js';
import type { ResourceStatus, Tables } from './tables.js';

/** A resource as registered: where it is stored and what its default variant is. */
export interface RegisteredResource extends Resource {
  readonly location: string;
  readonly isDefault: boolean;
  readonly promotion: number;
  /** How it was last made; `PENDING` before. */
  readonly status: ResourceStatus;
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
      await this.lock(tx);
      await this.write(tx, changesOf(await this.all(tx), resources), pipelines);
    });
  }

  /** One registrar at a time, until the transaction ends: which variant is a name's first must not depend on a race. */
  async lock(tx: Transaction<Tables>): Promise<void> {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`granary:register:${this.#database.schema}`}, 0))`.execute(
      tx,
    );
  }

  /**
   * Writes what a comparison found, in sets, within a transaction that holds the registrar's lock.
   * @throws GranaryError when the comparison refuses something.
   */
  async write(
    tx: Transaction<Tables>,
    { created, updated, refused }: Changes,
    pipelines: Iterable<PipelineSpec>,
  ): Promise<void> {
    refuseChanged(refused);
    for (const rows of chunks(created))
      await tx
        .insertInto('resources')
        .values(
          rows.map(({ resource, isDefault, location }) => ({
            id: resource.id,
            kind: resource.kind,
            name: resource.name,
            variant: resource.variant,
            fingerprint: resource.fingerprint,
            spec: JSON.stringify(resource.spec),
            about: JSON.stringify(resource.about),
            timeout: resource.timeout ?? null,
            deadline: resource.deadline === undefined ? null : JSON.stringify(resource.deadline),
            is_default: isDefault,
            location,
            error: null,
          })),
        )
        .execute();
    if (updated.length > 0)
      await sql`
        UPDATE ${sql.table(`${this.#database.schema}.resources`)} r SET about = u.about, timeout = u.timeout, deadline = u.deadline
        FROM jsonb_to_recordset(${JSON.stringify(updated)}::jsonb) u(id text, about jsonb, timeout text, deadline jsonb)
        WHERE r.id = u.id`.execute(tx);
    const specs = [...pipelines].map((pipeline) => ({
      name: pipeline.name,
      spec: JSON.stringify(pipeline),
    }));
    for (const rows of chunks(specs))
      await tx
        .insertInto('pipelines')
        .values(rows)
        .onConflict((c) =>
          c.column('name').doUpdateSet({ spec: (eb) => eb.ref('excluded.spec'), updated_at: sql`now()` }),
        )
        .execute();
  }

  /** Every pipeline that was registered. */
  async pipelines(db: Kysely<Tables> = this.#database.db): Promise<PipelineSpec[]> {
    const rows = await db.selectFrom('pipelines').select('spec').orderBy('name').execute();
    return rows.map((row) => row.spec);
  }

  /** Where a resource lies and its promotion number, as a transaction sees them. */
  async place(
    tx: Transaction<Tables>,
    id: string,
  ): Promise<Pick<RegisteredResource, 'location' | 'promotion'>> {
    return await tx
      .selectFrom('resources')
      .select(['location', 'promotion'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
  }

  /** Every registered resource by id. */
  async all(db: Kysely<Tables> = this.#database.db): Promise<Map<string, RegisteredResource>> {
    const rows = await db.selectFrom('resources').selectAll().orderBy('created_at').orderBy('id').execute();
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
          ...(row.deadline === null ? {} : { deadline: row.deadline }),
          location: row.location,
          isDefault: row.is_default,
          promotion: row.promotion,
          status: row.status,
        },
      ]),
    );
  }

  /** A text that changes with what readers of features go by: definitions, names in storage, defaults. */
  async version(): Promise<string> {
    const { db } = this.#database;
    const { version } = await db
      .selectFrom('resources')
      .select(
        sql<string>`md5(coalesce(string_agg(concat_ws('|', id, fingerprint, location, is_default, promotion), ',' ORDER BY id), ''))`.as(
          'version',
        ),
      )
      .executeTakeFirstOrThrow();
    return version;
  }

  /** The name of a resource in storage at this moment. */
  async location(id: string): Promise<string | undefined> {
    const { db } = this.#database;
    return (await db.selectFrom('resources').select('location').where('id', '=', id).executeTakeFirst())
      ?.location;
  }

  /** The names in storage of all resources of some kinds at this moment. */
  async locations(
    kinds: readonly ResourceKind[],
  ): Promise<{ readonly id: string; readonly kind: ResourceKind; readonly location: string }[]> {
    return await this.#database.db
      .selectFrom('resources')
      .select(['id', 'kind', 'location'])
      .where('kind', 'in', kinds)
      .execute();
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

/** @throws GranaryError with every refusal, each with its field-by-field diff. */
export function refuseChanged(refused: Changes['refused']): void {
  const [first] = refused;
  if (first) throw new GranaryError(first.code, refused.map(({ message }) => message).join('\n'));
}

/** A statement takes at most 65,535 parameters. */
function* chunks<T>(items: readonly T[], size = 2000): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
