import { sql, type Transaction } from 'kysely';
import { GranaryError } from '../definitions/errors.js';
import { Audit } from './audit.js';
import { Catalog, type CatalogEntry } from './catalog.js';
import { graphOf } from './catalog-graph.js';
import type { Database } from './database.js';
import type { RunRef } from './ownership.js';
import type { Tables } from './tables.js';

/** Who removes what, for the record. */
export interface RemovalRequest {
  readonly run: RunRef;
  readonly by: string;
  readonly reason?: string;
}

/** What was removed; kept in the audit. */
export interface RemovalResult {
  readonly versions: number;
  /** Entities that had values online, where the store can tell. */
  readonly entities?: number;
  readonly reason?: string;
}

/** What stands against a removal, in words; empty when nothing does. */
export async function obstacles(catalog: Catalog, entry: CatalogEntry): Promise<string[]> {
  const entries = await catalog.entries();
  const found = (graphOf(entries).readBy.get(entry.id) ?? [])
    // Models refer to versions, which is told below.
    .filter((id) => !id.startsWith('model/'))
    .map((id) => `${id} refers to it: delete that first`);
  const others = [...entries.values()].filter(
    (other) => other.kind === entry.kind && other.name === entry.name && other.id !== entry.id,
  );
  if (entry.isDefault && others.length > 0)
    found.push(
      `it is the default variant of ${entry.name}, which also has ${others.map(({ variant }) => variant).join(', ')}: delete these first`,
    );
  for (const { model, trainingSet, version } of await catalog.links())
    if (trainingSet === entry.id)
      found.push(`the model ${model} was trained on its version ${version}: delete model/${model} first`);
  return found;
}

/**
 * Removals of resources. A resource is marked first, and from then on the database refuses rows that would use it (see migrations.ts); its row, the
 * mark and all that the registry knows of its data go together in one transaction at the end, with the note of who did it.
 */
export class Removals {
  readonly #database: Database;
  readonly #audit: Audit;

  constructor(database: Database) {
    this.#database = database;
    this.#audit = new Audit(database);
  }

  /** The run that removes a resource; undefined when none does. */
  async of(target: string): Promise<RunRef | undefined> {
    const row = await this.#database.db
      .selectFrom('removals')
      .selectAll()
      .where('target', '=', target)
      .executeTakeFirst();
    return row && { id: row.run_id, workflowId: row.workflow_id };
  }

  /** Runs that are not recorded as ended and make a resource; of a pipeline, those that it started. */
  async openRuns({ id, kind, name }: Pick<CatalogEntry, 'id' | 'kind' | 'name'>): Promise<RunRef[]> {
    return await openRuns(this.#database.db, { id, kind, name });
  }

  /**
   * Marks a resource, in place of a mark of `instead` where one is there.
   * @throws GranaryError `RemovalRefused` with everything that stands against it; nothing was changed then.
   */
  async mark(entry: CatalogEntry, request: RemovalRequest, instead: RunRef | undefined): Promise<void> {
    const { run, by, reason = null } = request;
    await this.#database.db.transaction().execute(async (tx) => {
      // Alone: whoever writes a row that may use the resource holds this lock too, until its row can be seen.
      await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`granary:removals:${this.#database.schema}`}, 0))`.execute(
        tx,
      );
      const against = await obstacles(new Catalog({ ...this.#database, db: tx }), entry);
      for (const open of await openRuns(tx, entry))
        against.push(`the run ${open.workflowId} is making it: wait for it, or cancel it`);
      if (against.length > 0) throw removalRefused(entry.id, against);
      const row = { run_id: run.id, workflow_id: run.workflowId, actor: by, reason };
      const marked = await tx
        .insertInto('removals')
        .values({ target: entry.id, ...row })
        .onConflict((c) =>
          c
            .column('target')
            .doUpdateSet(row)
            .where('removals.run_id', 'in', [run.id, instead?.id ?? run.id]),
        )
        .returning('target')
        .executeTakeFirst();
      if (!marked) throw removalRefused(entry.id, ['another run began to delete it a moment ago']);
    });
  }

  /** Whether a run still is the one that removes a resource. */
  async isWanted(target: string, run: RunRef): Promise<boolean> {
    return (await this.of(target))?.id === run.id;
  }

  /** What a run noted when it had removed a resource: it may be asked again after its answer was lost. */
  async resultOf(target: string, run: RunRef): Promise<RemovalResult | undefined> {
    const row = await this.#database.db
      .selectFrom('audit')
      .select('detail')
      .where('target', '=', target)
      .where('action', '=', 'delete')
      .where('run_id', '=', run.id)
      .executeTakeFirst();
    return row && (row.detail as unknown as RemovalResult);
  }

  /**
   * Forgets a resource whose data is gone, with the note of who removed it. Runs and earlier notes stay.
   * @throws GranaryError `StaleToken` when the run is not the one that removes it.
   */
  async finish(
    { id, kind, name }: Pick<CatalogEntry, 'id' | 'kind' | 'name'>,
    { run, by, reason }: RemovalRequest,
    result: Omit<RemovalResult, 'reason'>,
  ): Promise<void> {
    await this.#database.db.transaction().execute(async (tx) => {
      const mark = await tx
        .deleteFrom('removals')
        .where('target', '=', id)
        .where('run_id', '=', run.id)
        .returning('target')
        .executeTakeFirst();
      if (!mark) throw new GranaryError('StaleToken', `Another run deletes ${id}, or has done so.`);
      if (kind === 'pipeline') await tx.deleteFrom('pipelines').where('name', '=', name).execute();
      else if (kind === 'model') await tx.deleteFrom('models').where('name', '=', name).execute();
      else {
        const tables = ['ledger', 'datasets', 'version_names', 'ownership', 'refusals', 'refreshes'] as const;
        for (const table of tables) await tx.deleteFrom(table).where('target', '=', id).execute();
        await tx.deleteFrom('resources').where('id', '=', id).execute();
      }
      await this.#audit.record(tx, id, {
        by,
        action: 'delete',
        run: run.id,
        detail: { ...result, ...(reason === undefined ? {} : { reason }) },
      });
    });
  }
}

async function openRuns(
  db: Database['db'] | Transaction<Tables>,
  { id, kind, name }: Pick<CatalogEntry, 'id' | 'kind' | 'name'>,
): Promise<RunRef[]> {
  const rows = await db
    .selectFrom('runs')
    .select(['run_id', 'workflow_id'])
    .where('ended_at', 'is', null)
    .where((eb) =>
      kind === 'pipeline'
        ? eb('pipeline', '=', name)
        : eb.exists(
            eb
              .selectFrom('steps')
              .select('steps.step_id')
              .whereRef('steps.run_id', '=', 'runs.run_id')
              .where('steps.step_id', '=', id),
          ),
    )
    .execute();
  return rows.map((row) => ({ id: row.run_id, workflowId: row.workflow_id }));
}

export const removalRefused = (id: string, against: readonly string[]): GranaryError =>
  new GranaryError('RemovalRefused', `${id} cannot be deleted: ${against.join('; ')}. Nothing was changed.`, {
    details: { against },
  });
