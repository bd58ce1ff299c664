import { sql, type Selectable, type Transaction } from 'kysely';
import type { ResourceKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { Audit } from './audit.js';
import type { Database } from './database.js';
import type { Claim, RunRef } from './ownership.js';
import { Resources } from './resources.js';
import type { Tables } from './tables.js';

/** A variant that became, or is to become, the default of its name. */
export interface Promotion {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Greater than every one before of the name: rows that were loaded under it win online, whatever their times. */
  readonly number: number;
  /** Ids of the default variant before and after. */
  readonly from: string;
  readonly to: string;
  readonly run: string;
  readonly by: string;
  readonly reason?: string;
  /** When it was asked for, ISO-8601. */
  readonly at: string;
  readonly switched: boolean;
}

/**
 * Promotions, each under a number of its own. It begins, it switches in one transaction with the record of what was loaded, and what it
 * replaced online is retired after that. One whose run ended before the switch is abandoned: the variant that is still the default then gets a
 * number above it, so that its next load wins back what was loaded already.
 */
export class Promotions {
  readonly #database: Database;
  readonly #audit: Audit;
  readonly #resources: Resources;

  constructor(database: Database) {
    this.#database = database;
    this.#audit = new Audit(database);
    this.#resources = new Resources(database);
  }

  /** Notes a promotion and gives it its number; for the same run the same again. The name must be the run's own (`Ownership`). */
  async begin(
    promotion: Pick<Promotion, 'kind' | 'name' | 'from' | 'to' | 'by' | 'reason'>,
    run: RunRef,
  ): Promise<number> {
    const { kind, name, from, to, by, reason } = promotion;
    return await this.#database.db.transaction().execute(async (tx) => {
      await this.#resources.lock(tx);
      const own = await tx
        .selectFrom('promotions')
        .select('number')
        .where('kind', '=', kind)
        .where('name', '=', name)
        .where('run_id', '=', run.id)
        .executeTakeFirst();
      if (own) return own.number;
      const number = (await highestNumber(tx, kind, name)) + 1;
      await tx
        .insertInto('promotions')
        .values({
          ...{ kind, name, number, from_id: from, to_id: to, run_id: run.id, actor: by },
          ...{ reason: reason ?? null, switched_at: null, abandoned_at: null, retired_at: null },
        })
        .execute();
      return number;
    });
  }

  /** The promotions of a name that took place, the newest first. */
  async of(kind: ResourceKind, name: string): Promise<Promotion[]> {
    const rows = await this.#database.db
      .selectFrom('promotions')
      .selectAll()
      .where('kind', '=', kind)
      .where('name', '=', name)
      .where('switched_at', 'is not', null)
      .orderBy('number', 'desc')
      .execute();
    return rows.map(toPromotion);
  }

  /**
   * Makes the variant the default, within the transaction that holds the run's claim of it: names in storage change places, and whoever works on
   * either variant meanwhile finds his token too old and begins anew under the new name. Done already, it changes nothing.
   * @throws GranaryError `PromotionRefused` when another variant became the default since the promotion began.
   */
  async switch(
    tx: Transaction<Tables>,
    { kind, name, from, to, number }: Pick<Promotion, 'kind' | 'name' | 'from' | 'to' | 'number'>,
    claim: Claim,
    run: RunRef,
  ): Promise<void> {
    await this.#resources.lock(tx);
    const rows = await tx
      .selectFrom('resources')
      .select(['id', 'variant', 'is_default', 'promotion'])
      .where('id', 'in', [from, to])
      .forUpdate()
      .execute();
    const [before, after] = [rows.find(({ id }) => id === from), rows.find(({ id }) => id === to)];
    if (after?.is_default && after.promotion === number) return;
    if (!before?.is_default || !after)
      throw new GranaryError(
        'PromotionRefused',
        `${from} is no longer the default variant of ${name}, or ${to} was deleted, since this promotion began. Nothing was switched; look at "granary get ${kind}/${name}" and promote again.`,
      );
    if (number <= Math.max(before.promotion, after.promotion))
      throw new GranaryError(
        'PromotionRefused',
        `A full refresh of ${name} began since this promotion did, and its rows win over those that were loaded here. Nothing was switched; promote again.`,
      );
    await tx
      .updateTable('resources')
      .set({ is_default: false, location: `${name}_${before.variant}` })
      .where('id', '=', from)
      .execute();
    await tx
      .updateTable('resources')
      .set({ is_default: true, location: name, promotion: number })
      .where('id', '=', to)
      .execute();
    // In this order: a load that is being recorded at this moment is waited for, and forgotten with the others.
    await raiseTokens(tx, [from, to], claim);
    await forgetLoads(tx, [from, to]);
    const noted = await tx
      .updateTable('promotions')
      .set({ switched_at: sql`now()` })
      .where('kind', '=', kind)
      .where('name', '=', name)
      .where('number', '=', number)
      .where('abandoned_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
    if (!noted)
      throw new GranaryError(
        'PromotionRefused',
        `The promotion ${number} of ${name} was given up. Promote again.`,
      );
    await this.#audit.record(tx, to, {
      by: noted.actor,
      action: 'promote',
      run: run.id,
      detail: { from, to, number, ...(noted.reason === null ? {} : { reason: noted.reason }) },
    });
  }

  /** Abandons the promotions whose runs are recorded as ended without a switch. Every new run does this first. */
  async abandonEnded(): Promise<void> {
    const open = this.#database.db
      .selectFrom('promotions')
      .innerJoin('runs', 'runs.run_id', 'promotions.run_id')
      .selectAll('promotions')
      .where('switched_at', 'is', null)
      .where('abandoned_at', 'is', null)
      .where('runs.ended_at', 'is not', null);
    if (!(await open.executeTakeFirst())) return;
    await this.#database.db.transaction().execute(async (tx) => {
      await this.#resources.lock(tx);
      const found = await open.execute();
      for (const { kind, name, number } of found) {
        const given = await tx
          .updateTable('promotions')
          .set({ abandoned_at: sql`now()` })
          .where('kind', '=', kind)
          .where('name', '=', name)
          .where('number', '=', number)
          .where('switched_at', 'is', null)
          .where('abandoned_at', 'is', null)
          .returning('number')
          .executeTakeFirst();
        if (!given) continue;
        const next = (await highestNumber(tx, kind, name)) + 1;
        const kept = await tx
          .updateTable('resources')
          .set({ promotion: next })
          .where('kind', '=', kind)
          .where('name', '=', name)
          .where('is_default', '=', true)
          .returning('id')
          .executeTakeFirst();
        if (kept) await forgetLoads(tx, [kept.id]);
      }
    });
  }

  /** Promotions of a view's name, taken place or abandoned, whose replaced rows may still be online. */
  async unretired(name: string): Promise<Promotion[]> {
    const rows = await this.#database.db
      .selectFrom('promotions')
      .selectAll()
      .where('kind', '=', 'view')
      .where('name', '=', name)
      .where('retired_at', 'is', null)
      .where((eb) => eb.or([eb('switched_at', 'is not', null), eb('abandoned_at', 'is not', null)]))
      .orderBy('number')
      .execute();
    return rows.map(toPromotion);
  }

  /** Notes that nothing is left online of what promotions up to a number replaced. */
  async markRetired(name: string, number: number): Promise<void> {
    await this.#database.db
      .updateTable('promotions')
      .set({ retired_at: sql`now()` })
      .where('kind', '=', 'view')
      .where('name', '=', name)
      .where('number', '<=', number)
      .where('retired_at', 'is', null)
      .where((eb) => eb.or([eb('switched_at', 'is not', null), eb('abandoned_at', 'is not', null)]))
      .execute();
  }
}

/** The highest promotion number of a name so far. */
export async function highestNumber(
  tx: Transaction<Tables>,
  kind: ResourceKind,
  name: string,
): Promise<number> {
  const given = await tx
    .selectFrom('promotions')
    .select((eb) => eb.fn.max('number').as('last'))
    .where('kind', '=', kind)
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  const used = await tx
    .selectFrom('resources')
    .select((eb) => eb.fn.max('promotion').as('last'))
    .where('kind', '=', kind)
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return Math.max(Number(given.last ?? 0), Number(used.last ?? 0));
}

/** Whoever works on these targets, but for one claim, finds his token too old and begins anew. */
export async function raiseTokens(
  tx: Transaction<Tables>,
  targets: readonly string[],
  { target, interval }: Claim,
): Promise<void> {
  await tx
    .updateTable('ownership')
    .set((eb) => ({ token: eb('token', '+', 1) }))
    .where('target', 'in', targets)
    .where((eb) =>
      eb.not(
        eb.and([
          eb('target', '=', target),
          eb('interval_start', '=', interval.start),
          eb('interval_end', '=', interval.end),
        ]),
      ),
    )
    .execute();
}

/** Under its new name, or against rows of a higher number, a view is not loaded. */
export async function forgetLoads(tx: Transaction<Tables>, targets: readonly string[]): Promise<void> {
  await tx
    .updateTable('ledger')
    .set({ store_id: null, receipt: null })
    .where('target', 'in', targets)
    .where('store_id', 'is not', null)
    .execute();
}

const toPromotion = (row: Selectable<Tables['promotions']>): Promotion => ({
  kind: row.kind,
  name: row.name,
  number: row.number,
  from: row.from_id,
  to: row.to_id,
  run: row.run_id,
  by: row.actor,
  ...(row.reason === null ? {} : { reason: row.reason }),
  at: row.at,
  switched: row.switched_at !== null,
});
