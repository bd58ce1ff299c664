import { sql } from 'kysely';
import type { Database } from './database.js';

/** How an attempt of an activity stands: `running` also where its worker died. */
export type StepLogOutcome = 'running' | 'completed' | 'failed' | 'cancelled';

/** One statement that was sent to an engine. */
export interface LoggedStatement {
  /** ISO-8601 in UTC, by the worker's clock. */
  readonly at: string;
  /** What it was for: `The query of feature set totals`. */
  readonly subject: string;
  /** Cut where it is long. */
  readonly sql: string;
  /** Milliseconds; absent while it runs, or when its worker died meanwhile. */
  readonly ms?: number;
  /** What the engine said, in its words. */
  readonly error?: string;
}

/** What one attempt of a step's activity did. */
export interface StepLog {
  readonly step: string;
  /** The activity's type: `buildRows`. */
  readonly activity: string;
  /** Its id in the workflow's history. */
  readonly activityId: string;
  readonly attempt: number;
  readonly worker: string;
  readonly outcome: StepLogOutcome;
  readonly code: string | undefined;
  readonly error: string | undefined;
  readonly statements: readonly LoggedStatement[];
  /** Statements that were left out of the middle. */
  readonly omitted: number;
  readonly startedAt: string;
  readonly updatedAt: string;
}

/** How long logs are kept. */
export const LOG_DAYS = 90;
/** Attempts of one activity that are kept: the newest. */
const ATTEMPTS = 10;

/** What steps did, for people: no run depends on it. */
export class StepLogs {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Writes how an attempt stands; safe to repeat. One that ended stays as it ended. */
  async write(run: string, log: Omit<StepLog, 'updatedAt'>): Promise<void> {
    const { db } = this.#database;
    const changing = {
      outcome: log.outcome,
      error_code: log.code ?? null,
      error: log.error === undefined ? null : printable(log.error),
      statements: JSON.stringify(log.statements),
      omitted: log.omitted,
    };
    await db
      .insertInto('step_logs')
      .values({
        run_id: run,
        step_id: log.step,
        activity_id: log.activityId,
        attempt: log.attempt,
        activity: log.activity,
        worker: log.worker,
        started_at: log.startedAt,
        ...changing,
      })
      .onConflict((c) =>
        c
          .columns(['run_id', 'step_id', 'activity_id', 'attempt'])
          .doUpdateSet({ ...changing, updated_at: sql`now()` })
          .where('step_logs.outcome', '=', 'running'),
      )
      .execute();
    if (log.attempt > ATTEMPTS)
      await db
        .deleteFrom('step_logs')
        .where('run_id', '=', run)
        .where('step_id', '=', log.step)
        .where('activity_id', '=', log.activityId)
        .where('attempt', '<=', log.attempt - ATTEMPTS)
        .execute();
  }

  /** The attempts of a run, oldest first; of one step alone where it is named. */
  async of(run: string, step?: string): Promise<StepLog[]> {
    let query = this.#database.db
      .selectFrom('step_logs')
      .selectAll()
      .where('run_id', '=', run)
      .orderBy('started_at')
      .orderBy('activity_id')
      .orderBy('attempt');
    if (step !== undefined) query = query.where('step_id', '=', step);
    return (await query.execute()).map((row) => ({
      step: row.step_id,
      activity: row.activity,
      activityId: row.activity_id,
      attempt: row.attempt,
      worker: row.worker,
      outcome: row.outcome,
      code: row.error_code ?? undefined,
      error: row.error ?? undefined,
      statements: row.statements,
      omitted: row.omitted,
      startedAt: row.started_at,
      updatedAt: row.updated_at,
    }));
  }

  /** Removes what is older than {@link LOG_DAYS}. */
  async removeOld(): Promise<void> {
    await this.#database.db
      .deleteFrom('step_logs')
      .where('updated_at', '<', sql<string>`now() - make_interval(days => ${LOG_DAYS})`)
      .execute();
  }
}

/** Postgres' texts hold no U+0000. */
const printable = (text: string): string => text.replaceAll('\0', '\u{fffd}');
