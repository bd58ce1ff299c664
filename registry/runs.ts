import { sql, type Selectable } from 'kysely';
import type { Interval } from '../definitions/interval.js';
import type { Plan } from '../definitions/plan.js';
import type { Database } from './database.js';
import type { DatasetInput } from './dataset.js';
import type { RunRef } from './ownership.js';
import type { RecordedRequest, RecordedResult } from './recorded-run.js';
import type { RunStatus, StepStatus, Tables } from './tables.js';

/** A run and how it stands. */
export interface Run extends RunRef {
  readonly type: string;
  readonly pipeline: string | undefined;
  readonly status: RunStatus;
  readonly plan: Plan;
  readonly retries: { readonly max: number; readonly delay: string };
  readonly error: string | undefined;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
}

/** A run of an interval and how it stands. */
export interface IntervalRun extends RunRef {
  readonly interval: Interval;
  readonly status: RunStatus;
  readonly error: string | undefined;
  /** ISO-8601. */
  readonly startedAt: string;
}

export interface StepOutcome {
  readonly step: string;
  readonly status: StepStatus;
  readonly error?: string;
}

/** The first end of a step holds. */
const ENDED = sql<string>`coalesce(ended_at, now())`;

/** What is kept of a step's result: no more than people ask for. */
const recorded = ({ outcome, rows, version, location, warnings, ms }: RecordedResult): RecordedResult => ({
  outcome,
  rows,
  ...(version === undefined ? {} : { version }),
  ...(location === undefined ? {} : { location }),
  ...(warnings === undefined ? {} : { warnings }),
  ms,
});

/** What has run. Written by the run's own activities; rows that a closed workflow left open are settled by readers. */
export class Runs {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Records a run and its steps; safe to repeat. */
  async begin(
    run: RunRef & {
      readonly type: string;
      readonly pipeline?: string;
      readonly plan: Plan;
      readonly retries: { readonly max: number; readonly delay: string };
      readonly request?: RecordedRequest;
    },
  ): Promise<void> {
    await this.#database.db.transaction().execute(async (tx) => {
      await tx
        .insertInto('runs')
        .values({
          run_id: run.id,
          workflow_id: run.workflowId,
          type: run.type,
          pipeline: run.pipeline ?? null,
          interval_start: run.plan.interval.start,
          interval_end: run.plan.interval.end,
          status: 'RUNNING',
          plan: JSON.stringify(run.plan),
          retries: JSON.stringify(run.retries),
          ...(run.request === undefined ? {} : { request: JSON.stringify(run.request) }),
          error: null,
          ended_at: null,
        })
        // The first attempt's answer may have been lost, and this worker may know other definitions: its plan is the one that runs.
        .onConflict((c) =>
          c
            .column('run_id')
            .doUpdateSet({ plan: JSON.stringify(run.plan), retries: JSON.stringify(run.retries) }),
        )
        .execute();
      if (run.plan.steps.length === 0) return;
      await tx
        .insertInto('steps')
        .values(
          run.plan.steps.map((step) => ({
            run_id: run.id,
            step_id: step.id,
            status: 'PENDING' as const,
            inputs: null,
            error: null,
          })),
        )
        .onConflict((c) => c.columns(['run_id', 'step_id']).doNothing())
        .execute();
    });
  }

  async get(id: string): Promise<Run | undefined> {
    const row = await this.#database.db
      .selectFrom('runs')
      .selectAll()
      .where('run_id', '=', id)
      .executeTakeFirst();
    return row && runOf(row);
  }

  /** The run of a pipeline's interval that began last, as it is recorded. */
  async lastOf(pipeline: string, interval: Interval): Promise<Run | undefined> {
    const row = await this.#database.db
      .selectFrom('runs')
      .selectAll()
      .where('pipeline', '=', pipeline)
      .where('interval_start', '=', interval.start)
      .where('interval_end', '=', interval.end)
      .orderBy('started_at', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && runOf(row);
  }

  /** Runs that are not recorded as ended, oldest first. */
  async open(limit: number): Promise<(RunRef & { readonly type: string })[]> {
    const rows = await this.#database.db
      .selectFrom('runs')
      .select(['run_id', 'workflow_id', 'type'])
      .where('ended_at', 'is', null)
      .orderBy('started_at')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: row.run_id, workflowId: row.workflow_id, type: row.type }));
  }

  /** The newest run that had a step, for each interval within a span. */
  async lastByInterval(step: string, { start, end }: Interval): Promise<IntervalRun[]> {
    const rows = await this.#database.db
      .selectFrom('steps')
      .innerJoin('runs', 'runs.run_id', 'steps.run_id')
      .distinctOn(['interval_start', 'interval_end'])
      .select([
        ...(['runs.run_id', 'workflow_id', 'interval_start', 'interval_end'] as const),
        ...(['runs.status', 'runs.error', 'runs.started_at'] as const),
      ])
      .where('steps.step_id', '=', step)
      .where('interval_start', '>=', start)
      .where('interval_end', '<=', end)
      .orderBy('interval_start')
      .orderBy('interval_end')
      .orderBy('runs.started_at', 'desc')
      .execute();
    return rows.map((row) => ({
      id: row.run_id,
      workflowId: row.workflow_id,
      interval: { start: row.interval_start, end: row.interval_end },
      status: row.status,
      error: row.error ?? undefined,
      startedAt: row.started_at,
    }));
  }

  /** Which of these runs have ended and left no commit to be published: what they staged is of no use any more. */
  async collectable(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    const rows = await this.#database.db
      .selectFrom('runs')
      .select('run_id')
      .where('run_id', 'in', ids)
      .where('ended_at', 'is not', null)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('datasets')
              .select('datasets.id')
              .whereRef('datasets.run_id', '=', 'runs.run_id')
              .where('datasets.published_at', 'is', null),
          ),
        ),
      )
      .execute();
    return rows.map((row) => row.run_id);
  }

  /** Ends a run; the first ending holds. Steps that were still open end with it. */
  async end(id: string, status: RunStatus, outcomes: readonly StepOutcome[], error?: string): Promise<void> {
    await this.#database.db.transaction().execute(async (tx) => {
      const ended = await tx
        .updateTable('runs')
        .set({ status, error: error ?? null, ended_at: sql`now()` })
        .where('run_id', '=', id)
        .where('ended_at', 'is', null)
        .returning('run_id')
        .executeTakeFirst();
      if (!ended) return;
      await tx.deleteFrom('step_facts').where('run_id', '=', id).execute();
      for (const { step, status: stepStatus, error: stepError } of outcomes)
        await tx
          .updateTable('steps')
          .set({ status: stepStatus, error: stepError ?? null, updated_at: sql`now()`, ended_at: ENDED })
          .where('run_id', '=', id)
          .where('step_id', '=', step)
          .execute();
      const open = await tx
        .updateTable('steps')
        .set({
          status: status === 'COMPLETED' ? 'COMPLETED' : 'CANCELLED',
          updated_at: sql`now()`,
          // What never began took no time.
          ended_at: sql`CASE WHEN started_at IS NOT NULL THEN coalesce(ended_at, now()) END`,
        })
        .where('run_id', '=', id)
        .where('status', 'in', ['PENDING', 'RUNNING'])
        .returning('step_id')
        .execute();
      if (open.length > 0 && status !== 'COMPLETED')
        await tx
          .updateTable('resources')
          .set({ status: 'FAILED', error: error ?? `The run that made it ended: ${status}.` })
          .where(
            'id',
            'in',
            open.map((step) => step.step_id),
          )
          .where('status', '=', 'RUNNING')
          .execute();
    });
  }

  /** How each step of a run stands, in no order. */
  async steps(
    run: string,
  ): Promise<{ readonly step: string; readonly status: StepStatus; readonly error: string | undefined }[]> {
    const rows = await this.#database.db
      .selectFrom('steps')
      .select(['step_id', 'status', 'error'])
      .where('run_id', '=', run)
      .execute();
    return rows.map((row) => ({ step: row.step_id, status: row.status, error: row.error ?? undefined }));
  }

  /** Whether a run is done with a step, well or badly. */
  async isDone(run: string, step: string): Promise<boolean> {
    const row = await this.#database.db
      .selectFrom('steps')
      .select('status')
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .executeTakeFirst();
    return row !== undefined && row.status !== 'PENDING' && row.status !== 'RUNNING';
  }

  /** Notes how a step stands; `result`, how it ended well. */
  async setStep(run: string, step: string, status: StepStatus, result?: RecordedResult): Promise<void> {
    await this.#database.db
      .updateTable('steps')
      .set({
        status,
        updated_at: sql`now()`,
        ...(status === 'PENDING' || status === 'RUNNING' ? {} : { ended_at: ENDED }),
        ...(result === undefined ? {} : { result: JSON.stringify(recorded(result)) }),
      })
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .execute();
  }

  /** Notes what a step has come to, which is not done yet. */
  async noteResult(run: string, step: string, result: RecordedResult): Promise<void> {
    await this.#database.db
      .updateTable('steps')
      .set({ result: JSON.stringify(recorded(result)) })
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .execute();
  }

  /** The registry's clock; ISO-8601 in UTC. Instants that are compared with one another are all of it. */
  async clock(): Promise<string> {
    const { rows } = await sql<{ at: string }>`SELECT clock_timestamp() AS at`.execute(this.#database.db);
    return rows[0]?.at ?? '';
  }

  /** Pins what a step reads at its first claim, and returns what is pinned: a later attempt reads the same. */
  async pinInputs(
    run: string,
    step: string,
    inputs: readonly DatasetInput[],
  ): Promise<readonly DatasetInput[]> {
    await this.#database.db.transaction().execute(async (tx) => {
      const first = await tx
        .updateTable('steps')
        .set({
          inputs: JSON.stringify(inputs),
          status: 'RUNNING',
          updated_at: sql`now()`,
          started_at: sql`now()`,
        })
        .where('run_id', '=', run)
        .where('step_id', '=', step)
        .where('inputs', 'is', null)
        .returning('step_id')
        .executeTakeFirst();
      if (first)
        await tx
          .updateTable('resources')
          .set({ status: 'RUNNING', error: null })
          .where('id', '=', step)
          // A promotion makes nothing: what was READY stays so.
          .where((eb) =>
            eb.not(
              eb.exists(
                eb
                  .selectFrom('runs')
                  .select('run_id')
                  .where('run_id', '=', run)
                  .where('type', '=', 'promote'),
              ),
            ),
          )
          .execute();
    });
    return await this.inputs(run, step);
  }

  async inputs(run: string, step: string): Promise<readonly DatasetInput[]> {
    const row = await this.#database.db
      .selectFrom('steps')
      .select('inputs')
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .executeTakeFirstOrThrow();
    return row.inputs ?? [];
  }

  /**
   * Counts an error that an attempt of a step's activity reported; resolves to that activity's count. Shards of one step count apart:
   * one outage is one error to each.
   */
  async countError(run: string, step: string, activity: string, message: string): Promise<number> {
    const { db } = this.#database;
    const row = await db
      .insertInto('step_errors')
      .values({ run_id: run, step_id: step, activity, errors: 1 })
      .onConflict((c) =>
        c
          .columns(['run_id', 'step_id', 'activity'])
          .doUpdateSet((eb) => ({ errors: eb('step_errors.errors', '+', 1) })),
      )
      .returning('errors')
      .executeTakeFirstOrThrow();
    await db
      .updateTable('steps')
      .set({ error: message, updated_at: sql`now()` })
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .execute();
    return row.errors;
  }
}

const runOf = (row: Selectable<Tables['runs']>): Run => ({
  id: row.run_id,
  workflowId: row.workflow_id,
  type: row.type,
  pipeline: row.pipeline ?? undefined,
  status: row.status,
  plan: row.plan,
  retries: row.retries,
  error: row.error ?? undefined,
  startedAt: row.started_at,
  endedAt: row.ended_at ?? undefined,
});
