import type { Interval } from '../definitions/interval.js';
import type { Database } from './database.js';
import type { DeadlineKind } from './tables.js';

/** A deadline that was missed. */
export interface DeadlineEvent {
  readonly kind: DeadlineKind;
  readonly pipeline: string;
  readonly interval: Interval;
  /** The step that was late, a resource's id; absent: the whole pipeline. */
  readonly step?: string;
  /** When it was due; ISO-8601. */
  readonly deadline: string;
  /** The run that was under way. */
  readonly run?: string;
  readonly message: string;
}

/** An event as it was recorded. `at` is the registry's clock; ISO-8601. */
export interface RecordedEvent extends DeadlineEvent {
  readonly at: string;
}

/** Deadlines that were missed. Each is recorded once, whoever notices it first, and never changed. */
export class Events {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Records an event; `false` when it is recorded already. */
  async raise({ kind, pipeline, interval, step, deadline, run, message }: DeadlineEvent): Promise<boolean> {
    const raised = await this.#database.db
      .insertInto('events')
      .values({
        kind,
        pipeline,
        interval_start: interval.start,
        interval_end: interval.end,
        step: step ?? '',
        deadline,
        run_id: run ?? null,
        message,
      })
      .onConflict((c) =>
        c.columns(['kind', 'pipeline', 'interval_start', 'interval_end', 'step']).doNothing(),
      )
      .returning('id')
      .executeTakeFirst();
    return raised !== undefined;
  }

  /** The newest events, oldest first: of a run, of a pipeline (its steps' as well), or of a step. */
  async list(
    { run, pipeline, step }: { readonly run?: string; readonly pipeline?: string; readonly step?: string },
    limit: number,
  ): Promise<RecordedEvent[]> {
    let query = this.#database.db.selectFrom('events').selectAll().orderBy('id', 'desc').limit(limit);
    if (run !== undefined) query = query.where('run_id', '=', run);
    if (pipeline !== undefined) query = query.where('pipeline', '=', pipeline);
    if (step !== undefined) query = query.where('step', '=', step);
    return (await query.execute()).reverse().map((row) => ({
      at: row.at,
      kind: row.kind,
      pipeline: row.pipeline,
      interval: { start: row.interval_start, end: row.interval_end },
      ...(row.step === '' ? {} : { step: row.step }),
      deadline: row.deadline,
      ...(row.run_id === null ? {} : { run: row.run_id }),
      message: row.message,
    }));
  }
}
