import { sql, type Transaction } from 'kysely';
import type { ApplyPlan } from '../definitions/apply-plan.js';
import type { Contract } from '../definitions/contract-file.js';
import type { Database } from './database.js';
import type { RunRef } from './ownership.js';
import type { ResourceStatus, RunStatus, StepStatus, Tables } from './tables.js';

/** What an apply tells of one of its resources. */
export interface ApplyItem {
  /** The resource's id. */
  readonly id: string;
  /** `SourceVariant`, `TrainingSetVariant`, ... */
  readonly type: string;
  readonly name: string;
  readonly variant: string;
  readonly status: ResourceStatus;
  readonly error: string | undefined;
}

/** One apply and how it stands. */
export interface Apply {
  /** Its run name: two words. */
  readonly id: string;
  readonly workflowId: string;
  /** Temporal's id of the run; undefined until it has begun. */
  readonly runId: string | undefined;
  readonly by: string;
  readonly at: string;
  readonly status: RunStatus;
  readonly error: string | undefined;
  /** Undefined until its definitions were registered. */
  readonly plan: ApplyPlan | undefined;
  readonly registeredAt: string | undefined;
  readonly endedAt: string | undefined;
}

/** How a step of an apply's runs stands. */
export interface StepState {
  readonly status: StepStatus;
  readonly error: string | undefined;
}

/** What was applied, by whom, and how it ended. */
export class Applies {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes an apply before its workflow starts; `false` when its name is taken. Repeated for the same run it changes nothing. */
  async add(apply: {
    readonly id: string;
    readonly workflowId: string;
    readonly runId?: string;
    readonly by: string;
    readonly contract: Contract;
  }): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#database.db
      .insertInto('applies')
      .values({
        id: apply.id,
        run_id: apply.runId ?? null,
        workflow_id: apply.workflowId,
        actor: apply.by,
        contract: JSON.stringify(apply.contract),
        plan: null,
        status: 'PENDING',
        error: null,
        registered_at: null,
        ended_at: null,
      })
      .onConflict((c) => c.doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  }

  /** The workflow has begun: from now on its run is known. `false` when another run has this name. */
  async begin(id: string, run: RunRef): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.db
      .updateTable('applies')
      .set({ run_id: run.id, workflow_id: run.workflowId, status: 'RUNNING', error: null, ended_at: null })
      .where('id', '=', id)
      // Somebody may have taken it for one that never began.
      .where((eb) =>
        eb.or([eb('run_id', 'is', null), eb.and([eb('run_id', '=', run.id), eb('ended_at', 'is', null)])]),
      )
      .executeTakeFirstOrThrow();
    return numUpdatedRows === 1n;
  }

  async get(id: string): Promise<Apply | undefined> {
    const row = await this.#head().where('id', '=', id).executeTakeFirst();
    return row && toApply(row);
  }

  /** The apply of a workflow's run. */
  async ofRun(runId: string): Promise<Apply | undefined> {
    const row = await this.#head().where('run_id', '=', runId).executeTakeFirst();
    return row && toApply(row);
  }

  /** Names of applies, newest first. */
  async names(limit: number): Promise<string[]> {
    const { db } = this.#database;
    const rows = await db.selectFrom('applies').select('id').orderBy('at', 'desc').limit(limit).execute();
    return rows.map((row) => row.id);
  }

  async contract(id: string): Promise<Contract> {
    const row = await this.#database.db
      .selectFrom('applies')
      .select('contract')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return row.contract;
  }

  /** Whether anything was ever applied: then the registry's definitions count, else those of the worker's project. */
  async any(): Promise<boolean> {
    const row = await this.#database.db
      .selectFrom('applies')
      .select('id')
      .where('registered_at', 'is not', null)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Applies that are not recorded as ended. */
  async open(limit: number): Promise<Apply[]> {
    return (await this.#head().where('ended_at', 'is', null).orderBy('at').limit(limit).execute()).map(
      toApply,
    );
  }

  /** Notes, within the transaction that registers the definitions, the plan and how each resource begins. */
  async register(
    tx: Transaction<Tables>,
    id: string,
    plan: ApplyPlan,
    items: readonly Omit<ApplyItem, 'error'>[],
  ): Promise<void> {
    const { schema } = this.#database;
    await tx
      .updateTable('applies')
      .set({ plan: JSON.stringify(plan), registered_at: sql`now()` })
      .where('id', '=', id)
      .execute();
    const rows = JSON.stringify(items.map((item, position) => ({ ...item, position })));
    await sql`
      INSERT INTO ${sql.table(`${schema}.apply_items`)} (apply_id, position, resource_id, type, name, variant, status)
      SELECT ${id}, position, id, type, name, variant, status
      FROM jsonb_to_recordset(${rows}::jsonb) i(position integer, id text, type text, name text, variant text, status text)`.execute(
      tx,
    );
    await sql`
      UPDATE ${sql.table(`${schema}.resources`)} r SET status = 'PENDING', error = NULL
      FROM jsonb_to_recordset(${rows}::jsonb) i(id text, status text)
      WHERE r.id = i.id AND i.status = 'PENDING'`.execute(tx);
  }

  /** Every resource of an apply in the order of its definitions. */
  async items(id: string): Promise<ApplyItem[]> {
    const rows = await this.#database.db
      .selectFrom('apply_items')
      .selectAll()
      .where('apply_id', '=', id)
      .orderBy('position')
      .execute();
    return rows.map((row) => ({
      id: row.resource_id,
      type: row.type,
      name: row.name,
      variant: row.variant,
      status: row.status,
      error: row.error ?? undefined,
    }));
  }

  /** How each step of some runs stands. Of several runs of a step, one that made it counts, then one that failed. */
  async steps(workflowIds: readonly string[]): Promise<Map<string, StepState>> {
    if (workflowIds.length === 0) return new Map();
    const rows = await this.#database.db
      .selectFrom('steps')
      .innerJoin('runs', 'runs.run_id', 'steps.run_id')
      .select(['step_id', 'steps.status', 'steps.error'])
      .where('workflow_id', 'in', workflowIds)
      .execute();
    const found = new Map<string, StepState>();
    for (const { step_id: step, status, error } of rows) {
      const known = found.get(step);
      if (known === undefined || RANK[status] > RANK[known.status])
        found.set(step, { status, error: error ?? undefined });
    }
    return found;
  }

  /** Records outcomes of an apply that is still open, in the resources too; `false` when it is recorded as ended. */
  async record(id: string, outcomes: readonly Outcome[]): Promise<boolean> {
    return await this.#database.db.transaction().execute(async (tx) => {
      const open = await tx
        .selectFrom('applies')
        .select('id')
        .where('id', '=', id)
        .where('ended_at', 'is', null)
        .forUpdate()
        .executeTakeFirst();
      if (!open) return false;
      await this.#write(tx, id, outcomes);
      return true;
    });
  }

  /** Ends an apply with the last word on each resource; the first ending holds. */
  async end(id: string, status: RunStatus, outcomes: readonly Outcome[], error?: string): Promise<boolean> {
    return await this.#database.db.transaction().execute(async (tx) => {
      const ended = await tx
        .updateTable('applies')
        .set({ status, error: error ?? null, ended_at: sql`now()` })
        .where('id', '=', id)
        .where('ended_at', 'is', null)
        .returning('id')
        .executeTakeFirst();
      if (!ended) return false;
      await this.#write(tx, id, outcomes);
      return true;
    });
  }

  async #write(tx: Transaction<Tables>, id: string, outcomes: readonly Outcome[]): Promise<void> {
    if (outcomes.length === 0) return;
    const { schema } = this.#database;
    const rows = JSON.stringify(outcomes);
    const outcome = sql`jsonb_to_recordset(${rows}::jsonb) o(id text, status text, error text)`;
    await sql`
      UPDATE ${sql.table(`${schema}.apply_items`)} i SET status = o.status, error = o.error
      FROM ${outcome} WHERE i.apply_id = ${id} AND i.resource_id = o.id`.execute(tx);
    await sql`
      UPDATE ${sql.table(`${schema}.resources`)} r SET status = o.status, error = o.error
      FROM ${outcome} WHERE r.id = o.id`.execute(tx);
  }

  #head() {
    return this.#database.db
      .selectFrom('applies')
      .select([
        'id',
        'workflow_id',
        'run_id',
        'actor',
        'at',
        'status',
        'error',
        'plan',
        'registered_at',
        'ended_at',
      ]);
  }
}

/** How an apply left a resource. */
export interface Outcome {
  readonly id: string;
  readonly status: ResourceStatus;
  readonly error?: string;
}

const RANK: Readonly<Record<StepStatus, number>> = {
  CANCELLED: 0,
  PENDING: 1,
  RUNNING: 2,
  FAILED: 3,
  COMPLETED: 4,
};

function toApply(row: {
  readonly id: string;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly actor: string;
  readonly at: string;
  readonly status: RunStatus;
  readonly error: string | null;
  readonly plan: ApplyPlan | null;
  readonly registered_at: string | null;
  readonly ended_at: string | null;
}): Apply {
  return {
    id: row.id,
    workflowId: row.workflow_id,
    runId: row.run_id ?? undefined,
    by: row.actor,
    at: row.at,
    status: row.status,
    error: row.error ?? undefined,
    plan: row.plan ?? undefined,
    registeredAt: row.registered_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
  };
}
