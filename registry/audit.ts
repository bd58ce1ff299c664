import type { Transaction } from 'kysely';
import type { Database } from './database.js';
import type { AuditAction, Tables } from './tables.js';

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

/** One act on a resource. */
export interface AuditEntry {
  readonly at: string;
  /** `user@host`, or `Temporal UI`. */
  readonly by: string;
  readonly action: AuditAction;
  /** Temporal's id of the run that did it; empty where none did. */
  readonly run: string;
  readonly detail: Readonly<Record<string, unknown>>;
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
    await this.record(tx, target, { by, action: 'rollback', run, detail: { ...detail } });
  }

  /** Notes what somebody did to a resource, within the transaction that does it. */
  async record(
    tx: Transaction<Tables>,
    target: string,
    { by, action, run, detail }: Omit<AuditEntry, 'at'>,
  ): Promise<void> {
    await tx
      .insertInto('audit')
      .values({ actor: by, action, target, run_id: run, detail: JSON.stringify(detail) })
      .execute();
  }

  /** Everything that was done to a resource, oldest first; also to one that is gone. */
  async of(target: string): Promise<AuditEntry[]> {
    const rows = await this.#database.db
      .selectFrom('audit')
      .selectAll()
      .where('target', '=', target)
      .orderBy('id')
      .execute();
    return rows.map(({ at, actor: by, action, run_id: run, detail }) => ({ at, by, action, run, detail }));
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
    return rows.map((row) => ({
      ...(row.detail as unknown as RollbackDetail),
      at: row.at,
      by: row.actor,
      run: row.run_id,
    }));
  }
}
