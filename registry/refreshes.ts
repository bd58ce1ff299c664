import { sql, type Selectable, type Transaction } from 'kysely';
import { Audit } from './audit.js';
import type { Database } from './database.js';
import type { Claim, RunRef } from './ownership.js';
import { forgetLoads, highestNumber, raiseTokens } from './promotions.js';
import { Resources } from './resources.js';
import type { Tables } from './tables.js';

/** A view that is loaded anew, and what no version brought is taken away after. */
export interface Refresh {
  /** The view's id. */
  readonly view: string;
  /** The promotion number that the view has had since: its rows win over those from before. */
  readonly number: number;
  readonly run: string;
  /** Versions that end at or before this instant are left out; absent: none. ISO-8601. */
  readonly from?: string;
  /** Where the refreshed range ends: the event time of the tombstones; absent: of all of time, which leaves none. */
  readonly to?: string;
}

/**
 * Full refreshes. One gives the view the next promotion number and forgets its loads, in one transaction: whoever loads the view from then on, the
 * refresh itself or a daily run beside it, loads everything under that number. What bears a lower number after such a load is taken away, by
 * whoever ends one first.
 */
export class Refreshes {
  readonly #database: Database;
  readonly #audit: Audit;
  readonly #resources: Resources;

  constructor(database: Database) {
    this.#database = database;
    this.#audit = new Audit(database);
    this.#resources = new Resources(database);
  }

  /** Whether a run has begun its refresh of a view. */
  async isBegun(view: string, run: string): Promise<boolean> {
    const row = await this.#database.db
      .selectFrom('refreshes')
      .select('number')
      .where('target', '=', view)
      .where('run_id', '=', run)
      .executeTakeFirst();
    return row !== undefined;
  }

  /**
   * Begins a refresh, within the transaction that holds the run's claim. Whoever else works on the view finds his token too old and begins anew
   * under the new number. A promotion of the name that is under way is refused its switch (`Promotions.switch`).
   */
  async begin(
    tx: Transaction<Tables>,
    { view, from, to, by }: Pick<Refresh, 'view' | 'from' | 'to'> & { readonly by: string },
    claim: Claim,
    run: RunRef,
  ): Promise<void> {
    await this.#resources.lock(tx);
    const { kind, name } = await tx
      .selectFrom('resources')
      .select(['kind', 'name'])
      .where('id', '=', view)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const number = (await highestNumber(tx, kind, name)) + 1;
    await tx.updateTable('resources').set({ promotion: number }).where('id', '=', view).execute();
    await raiseTokens(tx, [view], claim);
    await forgetLoads(tx, [view]);
    await tx
      .insertInto('refreshes')
      .values({
        ...{
          target: view,
          number,
          run_id: run.id,
          actor: by,
          range_start: from ?? null,
          range_end: to ?? null,
        },
        ...{ retired_at: null, collected_at: null },
      })
      .execute();
    await this.#audit.record(tx, view, {
      by,
      action: 'refresh',
      run: run.id,
      detail: { number, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
    });
  }

  /** The last refresh of a view. */
  async last(view: string): Promise<Refresh | undefined> {
    const row = await this.#database.db
      .selectFrom('refreshes')
      .selectAll()
      .where('target', '=', view)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && toRefresh(row);
  }

  /** Refreshes of a view from before which entities may still be online; oldest first. */
  async unretired(view: string): Promise<Refresh[]> {
    const rows = await this.#database.db
      .selectFrom('refreshes')
      .selectAll()
      .where('target', '=', view)
      .where('retired_at', 'is', null)
      .orderBy('number')
      .execute();
    return rows.map(toRefresh);
  }

  /** Notes that nothing is left online from before the refreshes of a view up to a number. */
  async markRetired(view: string, number: number): Promise<void> {
    await this.#database.db
      .updateTable('refreshes')
      .set({ retired_at: sql`now()` })
      .where('target', '=', view)
      .where('number', '<=', number)
      .where('retired_at', 'is', null)
      .execute();
  }

  /**
   * The refresh whose tombstones may be collected: the last one, once no run of the view is open that may bring rows from before them; undefined
   * where there is none. (A refresh replaces the tombstones of those before.)
   */
  async collectable(view: string): Promise<(Refresh & { readonly to: string }) | undefined> {
    const { db } = this.#database;
    const row = await db
      .selectFrom('refreshes')
      .selectAll()
      .where('target', '=', view)
      .where('retired_at', 'is not', null)
      .where('collected_at', 'is', null)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (!row || row.range_end === null) return undefined;
    const open = await db
      .selectFrom('runs')
      .innerJoin('steps', 'steps.run_id', 'runs.run_id')
      .select('runs.run_id')
      .where('steps.step_id', '=', view)
      .where('runs.ended_at', 'is', null)
      .where('runs.interval_start', '<', row.range_end)
      .limit(1)
      .executeTakeFirst();
    return open ? undefined : { ...toRefresh(row), to: row.range_end };
  }

  /** Notes that no tombstones are left of the refreshes of a view up to a number. */
  async markCollected(view: string, number: number): Promise<void> {
    await this.#database.db
      .updateTable('refreshes')
      .set({ collected_at: sql`now()` })
      .where('target', '=', view)
      .where('number', '<=', number)
      .where('collected_at', 'is', null)
      .execute();
  }
}

const toRefresh = (row: Selectable<Tables['refreshes']>): Refresh => ({
  view: row.target,
  number: row.number,
  run: row.run_id,
  ...(row.range_start === null ? {} : { from: row.range_start }),
  ...(row.range_end === null ? {} : { to: row.range_end }),
});
