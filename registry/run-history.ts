import { sql } from 'kysely';
import type { Interval } from '../definitions/interval.js';
import type { Plan, StepKind } from '../definitions/plan.js';
import type { Database } from './database.js';
import type { DatasetInput } from './dataset.js';
import { workflowRunId } from './ownership.js';
import type { RecordedRequest, RecordedResult } from './recorded-run.js';
import type { RunStatus, StepStatus } from './tables.js';

/** A run in a list. */
export interface RunSummary {
  /** Temporal's run id; of a part of a workflow run `<run id>.<part>`. */
  readonly run: string;
  readonly workflowId: string;
  readonly type: string;
  readonly pipeline: string | undefined;
  readonly interval: Interval;
  readonly status: RunStatus;
  readonly error: string | undefined;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
  /** Milliseconds, until now for one that is open. */
  readonly ms: number;
  /** Of its steps. */
  readonly counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

/** One step of a run. */
export interface RunStep {
  readonly step: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  readonly error: string | undefined;
  /** Errors that its attempts reported. */
  readonly errors: number;
  readonly startedAt: string | undefined;
  readonly endedAt: string | undefined;
  readonly ms: number | undefined;
  readonly result: RecordedResult | undefined;
  /** What it reads, as pinned. */
  readonly inputs: readonly DatasetInput[];
}

export interface RunDetail extends RunSummary {
  readonly request: RecordedRequest | undefined;
  readonly plan: Plan;
  readonly steps: readonly RunStep[];
}

export interface RunFilter {
  readonly pipeline?: string;
  readonly status?: RunStatus;
  readonly limit: number;
}

/** What has run, for people who ask. */
export class RunHistory {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Runs, the newest first. */
  async list({ pipeline, status, limit }: RunFilter): Promise<RunSummary[]> {
    let query = this.#runs().limit(limit);
    if (pipeline !== undefined) query = query.where('pipeline', '=', pipeline);
    if (status !== undefined) query = query.where('status', '=', status);
    return (await query.execute()).map(summaryOf);
  }

  /**
   * Runs that a text may mean, the newest first: by run id, by a prefix of it, or by workflow id; `last` is the newest. Of a workflow's runs only the
   * last one counts, with all its parts.
   */
  async matching(text: string, limit: number): Promise<RunSummary[]> {
    if (text === 'last') return await this.list({ limit: 1 });
    const exact = await this.#runs().where('run_id', '=', text).execute();
    if (exact.length > 0) return exact.map(summaryOf);
    const ofWorkflow = (await this.#runs().where('workflow_id', '=', text).limit(limit).execute()).map(
      summaryOf,
    );
    const [newest] = ofWorkflow;
    if (newest) {
      const id = workflowRunId(newest.run);
      return ofWorkflow.filter(({ run }) => workflowRunId(run) === id);
    }
    // Run ids are hexadecimal: nothing that LIKE would take for a pattern.
    if (!/^[0-9a-f][0-9a-f.-]*$/i.test(text)) return [];
    return (await this.#runs().where('run_id', 'like', `${text.toLowerCase()}%`).limit(limit).execute()).map(
      summaryOf,
    );
  }

  /** The parts of a workflow run that makes several intervals, the first first; none of a run of one interval. */
  async parts(workflowRun: string, limit: number): Promise<RunSummary[]> {
    // Ids of Temporal's hold nothing that LIKE would take for a pattern; what else is asked for is no id.
    if (!/^[0-9a-f-]+$/i.test(workflowRun)) return [];
    const rows = await this.#runs()
      .where('run_id', 'like', `${workflowRun.toLowerCase()}.%`)
      .clearOrderBy()
      .orderBy('started_at')
      .orderBy('run_id')
      .limit(limit)
      .execute();
    return rows.map(summaryOf);
  }

  /** All that is recorded of a run. */
  async detail(run: string): Promise<RunDetail | undefined> {
    const { db } = this.#database;
    const [row] = await this.#runs().select(['plan', 'request']).where('run_id', '=', run).execute();
    if (!row) return undefined;
    const steps = await db
      .selectFrom('steps')
      .selectAll()
      .select((eb) =>
        eb
          .selectFrom('step_errors')
          .select((e) => e.fn.sum<number>('errors').as('n'))
          .whereRef('step_errors.run_id', '=', 'steps.run_id')
          .whereRef('step_errors.step_id', '=', 'steps.step_id')
          .as('errors'),
      )
      .select(sql<number>`round(extract(epoch FROM coalesce(ended_at, now()) - started_at) * 1000)`.as('ms'))
      .where('run_id', '=', run)
      .execute();
    const byId = new Map(steps.map((step) => [step.step_id, step]));
    return {
      ...summaryOf(row),
      request: row.request ?? undefined,
      plan: row.plan,
      steps: row.plan.steps.flatMap(({ id, kind }) => {
        const step = byId.get(id);
        if (!step) return [];
        return [
          {
            step: id,
            kind,
            status: step.status,
            error: step.error ?? undefined,
            errors: Number(step.errors ?? 0),
            startedAt: step.started_at ?? undefined,
            endedAt: step.ended_at ?? undefined,
            ms: step.started_at === null ? undefined : Number(step.ms),
            result: step.result ?? undefined,
            inputs: step.inputs ?? [],
          },
        ];
      }),
    };
  }

  #runs() {
    const steps = sql.table(`${this.#database.schema}.steps`);
    const count = (condition: string) =>
      sql<number>`(SELECT count(*) FROM ${steps} s WHERE s.run_id = runs.run_id ${sql.raw(condition)})`;
    return this.#database.db
      .selectFrom('runs')
      .select([
        ...([
          'run_id',
          'workflow_id',
          'type',
          'pipeline',
          'interval_start',
          'interval_end',
          'status',
        ] as const),
        ...(['error', 'started_at', 'ended_at'] as const),
      ])
      .select([
        count('').as('total'),
        count("AND s.status = 'COMPLETED'").as('completed'),
        count("AND s.status = 'FAILED'").as('failed'),
        sql<number>`round(extract(epoch FROM coalesce(ended_at, now()) - started_at) * 1000)`.as('ms'),
      ])
      .orderBy('started_at', 'desc')
      .orderBy('run_id');
  }
}

interface SummaryRow {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly type: string;
  readonly pipeline: string | null;
  readonly interval_start: string;
  readonly interval_end: string;
  readonly status: RunStatus;
  readonly error: string | null;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly ms: number;
}

const summaryOf = (row: SummaryRow): RunSummary => ({
  run: row.run_id,
  workflowId: row.workflow_id,
  type: row.type,
  pipeline: row.pipeline ?? undefined,
  interval: { start: row.interval_start, end: row.interval_end },
  status: row.status,
  error: row.error ?? undefined,
  startedAt: row.started_at,
  endedAt: row.ended_at ?? undefined,
  ms: Number(row.ms),
  counts: { total: Number(row.total), completed: Number(row.completed), failed: Number(row.failed) },
});
