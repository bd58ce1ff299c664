import { sql, type Kysely, type Transaction } from 'kysely';
import { GranaryError } from '../definitions/errors.js';
import type { Interval } from '../definitions/interval.js';
import type { Database } from './database.js';
import type { Tables } from './tables.js';

/**
 * A run as the registry knows it: Temporal's ids. Where one workflow run makes several intervals, each is a part of it, which is a run of its
 * own here: `<Temporal's run id>.<part>`.
 */
export interface RunRef {
  readonly id: string;
  readonly workflowId: string;
}

/** A part of a workflow run; `part` has no dots. */
export const partOf = (run: RunRef, part: string): RunRef => ({ ...run, id: `${run.id}.${part}` });

/** The run as Temporal knows it, of a run or of a part of one. */
export const workflowRunId = (id: string): string => id.split('.', 1)[0] ?? id;

/** What a run may own: one target for one interval. */
export interface Claim {
  readonly target: string;
  readonly interval: Interval;
}

/**
 * Who may commit an interval of a target. The owner is a run; each attempt of a committing activity takes a higher token first,
 * and a commit holds only under the highest: an attempt that was paused past its time-outs finds itself refused. No clock decides.
 */
export class Ownership {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the run the owner if nobody is, and says who the owner is. */
  async claim({ target, interval }: Claim, run: RunRef): Promise<RunRef> {
    const { db } = this.#database;
    await db
      .insertInto('ownership')
      .values({
        target,
        interval_start: interval.start,
        interval_end: interval.end,
        run_id: run.id,
        workflow_id: run.workflowId,
        token: 0,
      })
      .onConflict((c) => c.columns(['target', 'interval_start', 'interval_end']).doNothing())
      .execute();
    const row = await whereClaim(db.selectFrom('ownership').select(['run_id', 'workflow_id']), {
      target,
      interval,
    }).executeTakeFirstOrThrow();
    return { id: row.run_id, workflowId: row.workflow_id };
  }

  /**
   * Takes an interval over from a run that Temporal says is closed; `false` when somebody else did so first. The token goes on
   * rising, so that an activity of the old owner that still runs can commit no more.
   */
  async takeOver(claim: Claim, from: RunRef, to: RunRef): Promise<boolean> {
    const raised = this.#database.db
      .updateTable('ownership')
      .set((eb) => ({ run_id: to.id, workflow_id: to.workflowId, token: eb('token', '+', 1) }));
    const result = await whereClaim(raised, claim).where('run_id', '=', from.id).executeTakeFirst();
    return result.numUpdatedRows === 1n;
  }

  /**
   * The next token for an attempt: its first statement.
   * @throws GranaryError `OwnershipLost` when another run owns the interval now.
   */
  async nextToken(claim: Claim, run: RunRef): Promise<number> {
    const raised = this.#database.db.updateTable('ownership').set((eb) => ({ token: eb('token', '+', 1) }));
    const row = await whereClaim(raised, claim)
      .where('run_id', '=', run.id)
      .returning('token')
      .executeTakeFirst();
    if (!row) throw lost(claim.target, claim.interval);
    return row.token;
  }

  /**
   * Does `work` in one transaction that holds only under this token. A refusal is counted in `refusals`.
   * @throws GranaryError `OwnershipLost`, `StaleToken`.
   */
  async commit<T>(
    claim: Claim,
    run: RunRef,
    token: number,
    work: (tx: Transaction<Tables>) => Promise<T>,
  ): Promise<T> {
    return await this.#counting(claim, run, token, () =>
      this.#database.db.transaction().execute(async (tx) => {
        await verify(tx, claim, run, token, 'locked');
        return await work(tx);
      }),
    );
  }

  /**
   * Asks whether an attempt is still the one that works here, before it does what costs something or touches a store. It
   * saves the work of an attempt that slept past its time-outs; only `commit` decides. A refusal is counted in `refusals`.
   * @throws GranaryError `OwnershipLost`, `StaleToken`.
   */
  async confirm(claim: Claim, run: RunRef, token: number): Promise<void> {
    await this.#counting(claim, run, token, () => verify(this.#database.db, claim, run, token, 'read'));
  }

  async #counting<T>(
    { target, interval }: Claim,
    run: RunRef,
    token: number,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof GranaryError && (error.code === 'OwnershipLost' || error.code === 'StaleToken'))
        await this.#database.db
          .insertInto('refusals')
          .values({
            target,
            interval_start: interval.start,
            interval_end: interval.end,
            run_id: run.id,
            token,
            reason: error.code,
          })
          .execute();
      throw error;
    }
  }

  /**
   * A version name of a target for a run; the same again for the same run. It is this second by the registry's clock in UTC, or the one after the
   * target's last name where that is later: so names sort in the order in which runs first asked for them, which need not be that of their commits.
   */
  async versionName(target: string, run: RunRef): Promise<string> {
    return await this.#database.db.transaction().execute(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`granary:version:${this.#database.schema}:${target}`}, 0))`.execute(
        tx,
      );
      const own = await tx
        .selectFrom('version_names')
        .select('name')
        .where('target', '=', target)
        .where('run_id', '=', run.id)
        .executeTakeFirst();
      if (own) return own.name;
      const names = sql.table(`${this.#database.schema}.version_names`);
      // The last of an index, however many names a fast backfill took ahead of the clock.
      const { rows } = await sql<{ name: string }>`
        SELECT to_char(greatest(now(), to_timestamp(max(name), '"v_"YYYYMMDD"T"HH24MISS') + interval '1 second'), '"v_"YYYYMMDD"T"HH24MISS') AS name
        FROM ${names} WHERE target = ${target}`.execute(tx);
      const name = rows[0]?.name;
      if (name === undefined) throw new GranaryError('Internal', `No version name of ${target} is free.`);
      await tx.insertInto('version_names').values({ target, name, run_id: run.id }).execute();
      return name;
    });
  }
}

/** Refuses a run that owns the interval no more or has ended, and a token that is not the highest. */
async function verify(
  db: Kysely<Tables>,
  claim: Claim,
  run: RunRef,
  token: number,
  mode: 'locked' | 'read',
): Promise<void> {
  const { target, interval } = claim;
  const ownership = whereClaim(db.selectFrom('ownership').select(['run_id', 'token']), claim);
  const row = await (mode === 'locked' ? ownership.forUpdate() : ownership).executeTakeFirst();
  if (!row || row.run_id !== run.id) throw lost(target, interval);
  // A run that was recorded as ended may commit no more: what it staged is being removed. Ending it waits for this lock.
  const recorded = db.selectFrom('runs').select('ended_at').where('run_id', '=', run.id);
  const ended = await (mode === 'locked' ? recorded.forShare() : recorded).executeTakeFirst();
  if (ended && ended.ended_at !== null) throw lost(target, interval);
  if (row.token !== token)
    throw new GranaryError(
      'StaleToken',
      `A newer attempt (token ${row.token}) works on ${target} for ${interval.start}; this one (token ${token}) may not commit.`,
    );
}

const lost = (target: string, { start, end }: Interval): GranaryError =>
  new GranaryError(
    'OwnershipLost',
    `Another run owns ${target} for [${start}, ${end}) now; this one may not commit.`,
  );

/** Narrows a query on a table with `target`, `interval_start`, `interval_end` to one claim. */
export function whereClaim<
  Q extends { where(column: 'target' | 'interval_start' | 'interval_end', op: '=', value: string): Q },
>(query: Q, { target, interval }: Claim): Q {
  return query
    .where('target', '=', target)
    .where('interval_start', '=', interval.start)
    .where('interval_end', '=', interval.end);
}
