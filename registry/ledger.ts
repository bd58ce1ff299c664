import { sql, type Transaction } from 'kysely';
import type { Interval } from '../definitions/interval.js';
import { quoteName } from '../definitions/sql.js';
import type { Database } from './database.js';
import type { Tables } from './tables.js';

/** One valid interval of a target. */
export interface LedgerEntry {
  readonly target: string;
  readonly interval: Interval;
  readonly generation: number;
  readonly dataset: string | undefined;
  readonly run: string;
  readonly fingerprint: string;
  readonly inputsHash: string;
  readonly storeId: string | undefined;
  /** What a load left in the online store after its rows; see OnlineProvider. */
  readonly receipt: number | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Which interval of which target is valid, made by which run, from which inputs and definition. */
export class Ledger {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(target: string, interval: Interval): Promise<LedgerEntry | undefined> {
    return (await this.#select(target, interval))[0];
  }

  /**
   * Which of these targets had not been made for an interval by an instant (ISO-8601, by the registry's clock). What was made anew since, because it
   * was rebuilt, rolled back or became stale, had been made in time.
   */
  async lacking(targets: readonly string[], interval: Interval, at: string): Promise<string[]> {
    if (targets.length === 0) return [];
    const rows = await this.#database.db
      .selectFrom('ledger')
      .select('target')
      .where('target', 'in', targets)
      .where('interval_start', '=', interval.start)
      .where('interval_end', '=', interval.end)
      .where('first_committed_at', '<=', at)
      .execute();
    const valid = new Set(rows.map(({ target }) => target));
    return targets.filter((target) => !valid.has(target));
  }

  /** Those of some intervals that are valid for every one of these targets; `sinceEnd`: each by a run that began when the interval had ended. */
  async complete(
    targets: readonly string[],
    intervals: readonly Interval[],
    { sinceEnd = false }: { readonly sinceEnd?: boolean } = {},
  ): Promise<Interval[]> {
    const ends = intervals.map(({ end }) => end).sort();
    const [first, last] = [ends[0], ends.at(-1)];
    if (first === undefined || last === undefined || targets.length === 0) return [...intervals];
    let query = this.#database.db
      .selectFrom('ledger')
      .innerJoin('runs', 'runs.run_id', 'ledger.run_id')
      .select(['ledger.interval_start as start', 'ledger.interval_end as end'])
      .where('ledger.target', 'in', targets)
      .where('ledger.interval_end', '>=', first)
      .where('ledger.interval_end', '<=', last)
      .groupBy(['ledger.interval_start', 'ledger.interval_end'])
      .having((eb) => eb.fn.countAll(), '=', new Set(targets).size);
    if (sinceEnd) query = query.whereRef('runs.started_at', '>=', 'ledger.interval_end');
    const valid = new Set((await query.execute()).map(({ start, end }) => `${start}/${end}`));
    return intervals.filter(({ start, end }) => valid.has(`${start}/${end}`));
  }

  /** Every valid interval of a target, oldest first. */
  async of(target: string): Promise<LedgerEntry[]> {
    return await this.#select(target);
  }

  async #select(target: string, interval?: Interval): Promise<LedgerEntry[]> {
    let query = this.#database.db
      .selectFrom('ledger')
      .selectAll()
      .where('target', '=', target)
      .orderBy('interval_end');
    if (interval)
      query = query.where('interval_start', '=', interval.start).where('interval_end', '=', interval.end);
    return (await query.execute()).map((row) => ({
      target: row.target,
      interval: { start: row.interval_start, end: row.interval_end },
      generation: row.generation,
      dataset: row.dataset_id ?? undefined,
      run: row.run_id,
      fingerprint: row.fingerprint,
      inputsHash: row.inputs_hash,
      storeId: row.store_id ?? undefined,
      receipt: row.receipt ?? undefined,
      detail: row.detail,
    }));
  }

  /** A number for a load to leave in the online store: greater than every one before. */
  async nextReceipt(): Promise<number> {
    const { db, schema } = this.#database;
    const { rows } = await sql<{ receipt: number }>`
      SELECT nextval(${`${quoteName(schema)}.online_receipts`}::regclass) AS receipt`.execute(db);
    return Number(rows[0]?.receipt);
  }

  /** The greatest receipt that was recorded for a view in some contents of its store; 0 when there is none. */
  async lastReceipt(target: string, storeId: string): Promise<number> {
    const { last } = await this.#database.db
      .selectFrom('ledger')
      .select((eb) => eb.fn.max('receipt').as('last'))
      .where('target', '=', target)
      .where('store_id', '=', storeId)
      .executeTakeFirstOrThrow();
    return Number(last ?? 0);
  }

  /** Records online loads: for each interval the version that was loaded, and the store's contents it went into. */
  async recordLoads(
    tx: Transaction<Tables>,
    loads: readonly (LedgerEntry & { readonly storeId: string })[],
  ): Promise<void> {
    for (const load of loads) {
      const row = {
        generation: load.generation,
        dataset_id: load.dataset ?? null,
        run_id: load.run,
        fingerprint: load.fingerprint,
        inputs_hash: load.inputsHash,
        store_id: load.storeId,
        receipt: load.receipt ?? null,
        detail: JSON.stringify(load.detail),
        committed_at: sql<string>`now()`,
      };
      await tx
        .insertInto('ledger')
        .values({
          target: load.target,
          interval_start: load.interval.start,
          interval_end: load.interval.end,
          ...row,
        })
        .onConflict((c) =>
          // A slow run does not replace what a newer generation has recorded.
          c
            .columns(['target', 'interval_start', 'interval_end'])
            .doUpdateSet(row)
            .where('ledger.generation', '<=', load.generation),
        )
        .execute();
    }
  }
}
