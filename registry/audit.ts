import type { Transaction } from 'kysely';
import type { Database } from './database.js';
import type { Tables } from './tables.js';

/** What a rollback did. Versions by their names; `of` is the one whose bytes came back in `version`. */
export interface RollbackDetail {
  readonly from: string;
  readonly of: string;
  readonly version: string;
  readonly reason?: string;
}

/** A rollback with who asked for it and when it was committed. */
export interface RollbackEntry extends RollbackDetail {
  readonly at: string;
  /** `user@host`, or `Temporal UI`. */
  readonly by: string;
  readonly run: string;
}

/** Who changed by hand what readers see, and why. Written in the transaction of the change; never changed. */
export class Audit {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes a rollback, within the transaction that commits it. */
  async recordRollback(
    tx: Transaction<Tables>,
    target: string,
    { by, run, ...detail }: Omit<RollbackEntry, 'at'>,
  ): Promise<void> {
    await tx
      .insertInto('audit')
      .values({ actor: by, action: 'rollback', target, run_id: run, detail: JSON.stringify(detail) })
      .execute();
  }

  /** The rollbacks of a feature set, oldest first. */
  async rollbacks(target: string): Promise<RollbackEntry[]> {
    const rows = await this.#database.db
      .selectFrom('audit')
      .selectAll()
      .where('target', '=', target)
      .where('action', '=', 'rollback')
      .orderBy('id')
      .execute();
    return rows.map((row) => ({ ...row.detail, at: row.at, by: row.actor, run: row.run_id }));
  }
}
