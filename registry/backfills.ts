import { sql } from 'kysely';
import type { BackfillInterval, BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import type { Backfill, BackfillCounts, FailedInterval } from './backfill.js';
import type { Database } from './database.js';
import type { RunRef } from './ownership.js';
import type { RunStatus, Tables } from './tables.js';

/** Which backfills there are, what each makes, and how it stands. How an interval stands is what its run says. */
export class Backfills {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes a backfill before its workflow starts; `false` when its name is taken. */
  async add(backfill: {
    readonly id: string;
    readonly workflowId: string;
    readonly by: string;
    readonly request: BackfillRequest;
    readonly runId?: string;
  }): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#database.db
      .insertInto('backfills')
      .values({
        id: backfill.id,
        workflow_id: backfill.workflowId,
        run_id: backfill.runId ?? null,
        actor: backfill.by,
        request: JSON.stringify(backfill.request),
        plan: null,
        status: 'PENDING',
        paused_by: null,
        paused_at: null,
        error: null,
        ended_at: null,
      })
      .onConflict((c) => c.doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  }

  /**
   * A run of its workflow has begun, the first or one that goes on where another left off; `false` when the name belongs to another workflow, or
   * the backfill has ended.
   */
  async begin(id: string, run: RunRef): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.db
      .updateTable('backfills')
      .set({ run_id: run.id, workflow_id: run.workflowId, status: 'RUNNING', error: null, ended_at: null })
      .where('id', '=', id)
      // Somebody may have taken it for one that never began.
      .where((eb) =>
        eb.or([
          eb('run_id', 'is', null),
          eb.and([eb('workflow_id', '=', run.workflowId), eb('ended_at', 'is', null)]),
        ]),
      )
      .executeTakeFirstOrThrow();
    return numUpdatedRows === 1n;
  }

  async get(id: string): Promise<Backfill | undefined> {
    return (await this.#select((query) => query.where('id', '=', id)))[0];
  }

  /** The backfill that a run of a workflow has begun. */
  async ofRun(runId: string): Promise<Backfill | undefined> {
    return (await this.#select((query) => query.where('run_id', '=', runId)))[0];
  }

  /** Whether the workflow's id was given again to another backfill, which began later. */
  async isFollowed({ id, workflowId, at }: Pick<Backfill, 'id' | 'workflowId' | 'at'>): Promise<boolean> {
    const same = await this.#select((query) =>
      query.where('workflow_id', '=', workflowId).where('id', '<>', id).where('at', '>=', at).limit(1),
    );
    return same.length > 0;
  }

  /** Backfills, newest first. */
  async newest(limit: number): Promise<Backfill[]> {
    return await this.#select((query) => query.orderBy('at', 'desc').orderBy('id').limit(limit));
  }

  /** Backfills that are not recorded as ended, oldest first. */
  async open(limit: number): Promise<Backfill[]> {
    return await this.#select((query) =>
      query.where('ended_at', 'is', null).orderBy('at').orderBy('id').limit(limit),
    );
  }

  /** Records what a backfill does, once: the first plan holds. Resolves to the one that does. */
  async setPlan(
    id: string,
    plan: BackfillPlan,
    intervals: readonly BackfillInterval[],
  ): Promise<BackfillPlan> {
    const { db, schema } = this.#database;
    return await db.transaction().execute(async (tx) => {
      const { plan: known } = await tx
        .selectFrom('backfills')
        .select('plan')
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirstOrThrow();
      if (known) return known;
      await tx
        .updateTable('backfills')
        .set({ plan: JSON.stringify(plan) })
        .where('id', '=', id)
        .execute();
      const rows = JSON.stringify(
        intervals.map(({ position, interval: { start, end } }) => ({ position, start, end })),
      );
      await sql`
        INSERT INTO ${sql.table(`${schema}.backfill_intervals`)} (backfill_id, position, interval_start, interval_end)
        SELECT ${id}, position, start, "end" FROM jsonb_to_recordset(${rows}::jsonb) i(position integer, start timestamptz, "end" timestamptz)`.execute(
        tx,
      );
      return plan;
    });
  }

  /** The next intervals, after a position, that have not begun. */
  async next(id: string, after: number, limit: number): Promise<BackfillInterval[]> {
    const rows = await this.#database.db
      .selectFrom('backfill_intervals')
      .select(['position', 'interval_start', 'interval_end'])
      .where('backfill_id', '=', id)
      .where('position', '>', after)
      .where('run_id', 'is', null)
      .where('error', 'is', null)
      .orderBy('position')
      .limit(limit)
      .execute();
    return rows.map(toInterval);
  }

  /** An interval's run is recorded. */
  async began(id: string, position: number, run: RunRef): Promise<void> {
    await this.#database.db
      .updateTable('backfill_intervals')
      .set({ run_id: run.id })
      .where('backfill_id', '=', id)
      .where('position', '=', position)
      .execute();
  }

  /** An interval failed. */
  async fail(id: string, position: number, error: string): Promise<void> {
    await this.#database.db
      .updateTable('backfill_intervals')
      .set({ error })
      .where('backfill_id', '=', id)
      .where('position', '=', position)
      .execute();
  }

  /** How the intervals of a backfill stand; also of one that Temporal closed without its saying so, once that is settled. */
  async counts(id: string): Promise<BackfillCounts> {
    const rows = await this.#database.db
      .selectFrom('backfill_intervals as i')
      .leftJoin('runs as r', 'r.run_id', 'i.run_id')
      .select((eb) => [
        sql<keyof BackfillCounts>`CASE
          WHEN i.error IS NOT NULL OR r.status IN ('FAILED', 'DEADLINE_EXCEEDED') THEN 'failed'
          WHEN r.status IS NULL THEN 'waiting'
          WHEN r.status = 'COMPLETED' THEN 'completed'
          WHEN r.status IN ('CANCELLED', 'TERMINATED') THEN 'cancelled'
          ELSE 'running' END`.as('state'),
        eb.fn.countAll<number>().as('n'),
      ])
      .where('backfill_id', '=', id)
      .groupBy('state')
      .execute();
    const of = (state: keyof BackfillCounts): number => rows.find((row) => row.state === state)?.n ?? 0;
    return {
      waiting: of('waiting'),
      running: of('running'),
      completed: of('completed'),
      failed: of('failed'),
      cancelled: of('cancelled'),
    };
  }

  /** Intervals that failed, with why, in the order of the backfill. */
  async failures(id: string, limit: number): Promise<FailedInterval[]> {
    const rows = await this.#database.db
      .selectFrom('backfill_intervals as i')
      .leftJoin('runs as r', 'r.run_id', 'i.run_id')
      .select([
        'position',
        'i.interval_start',
        'i.interval_end',
        'i.run_id',
        'i.error',
        'r.error as reported',
      ])
      .where('backfill_id', '=', id)
      .where((eb) =>
        eb.or([eb('i.error', 'is not', null), eb('r.status', 'in', ['FAILED', 'DEADLINE_EXCEEDED'])]),
      )
      .orderBy('position')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      ...toInterval(row),
      run: row.run_id ?? undefined,
      error: row.error ?? row.reported ?? 'It failed.',
    }));
  }

  /** The intervals that a backfill has not begun, and those that were cut off, in the order of time. */
  async undone(id: string): Promise<BackfillInterval[]> {
    const rows = await this.#database.db
      .selectFrom('backfill_intervals as i')
      .leftJoin('runs as r', 'r.run_id', 'i.run_id')
      .select(['position', 'i.interval_start', 'i.interval_end'])
      .where('backfill_id', '=', id)
      .where('i.error', 'is', null)
      .where((eb) => eb.or([eb('r.status', 'is', null), eb('r.status', 'in', ['CANCELLED', 'TERMINATED'])]))
      .orderBy('i.interval_start')
      .execute();
    return rows.map(toInterval);
  }

  /** Who has paused a backfill; undefined: it goes on. One that has ended is not paused any more. */
  async setPaused(id: string, by: string | undefined): Promise<void> {
    await this.#database.db
      .updateTable('backfills')
      .set({ paused_by: by ?? null, paused_at: by === undefined ? null : sql`now()` })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .execute();
  }

  /** Ends a backfill; the first ending holds. */
  async end(id: string, status: RunStatus, error?: string): Promise<void> {
    await this.#database.db
      .updateTable('backfills')
      .set({ status, error: error ?? null, paused_by: null, paused_at: null, ended_at: sql`now()` })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .execute();
  }

  /** How long the last runs of a pipeline took that made something, each for one interval, in milliseconds. */
  async pastRuns(pipeline: string): Promise<{ readonly runs: number; readonly meanMs: number | undefined }> {
    const { schema } = this.#database;
    const runs = sql.table(`${schema}.runs`);
    const { rows } = await sql<{ runs: number; mean: number | null }>`
      SELECT count(*) AS runs, (avg(extract(epoch FROM ended_at - started_at)) * 1000)::float8 AS mean
      FROM (SELECT started_at, ended_at FROM ${runs} r WHERE pipeline = ${pipeline} AND status = 'COMPLETED'
        -- A run that found everything valid says nothing of the work.
        AND EXISTS (SELECT FROM ${sql.table(`${schema}.steps`)} s WHERE s.run_id = r.run_id AND s.inputs IS NOT NULL)
        ORDER BY ended_at DESC LIMIT 20) last`.execute(this.#database.db);
    return { runs: rows[0]?.runs ?? 0, meanMs: rows[0]?.mean ?? undefined };
  }

  async #select(narrow: (query: Head) => Head): Promise<Backfill[]> {
    const rows = await narrow(headOf(this.#database.db)).execute();
    return rows.map((row) => ({
      id: row.id,
      workflowId: row.workflow_id,
      runId: row.run_id ?? undefined,
      by: row.actor,
      at: row.at,
      request: row.request,
      plan: row.plan ?? undefined,
      status: row.status,
      pausedBy: row.paused_by ?? undefined,
      pausedAt: row.paused_at ?? undefined,
      error: row.error ?? undefined,
      endedAt: row.ended_at ?? undefined,
    }));
  }
}

type Head = ReturnType<typeof headOf>;
const headOf = (db: Database['db']) => db.selectFrom('backfills').selectAll();

const toInterval = (
  row: Pick<Tables['backfill_intervals'], 'position' | 'interval_start' | 'interval_end'>,
): BackfillInterval => ({
  position: row.position,
  interval: { start: row.interval_start, end: row.interval_end },
});
