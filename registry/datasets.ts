import { sql, type Selectable, type Transaction } from 'kysely';
import { ALL_TIME, type Interval } from '../definitions/interval.js';
import type { Database } from './database.js';
import type { Dataset, DatasetInput } from './dataset.js';
import { whereClaim } from './ownership.js';
import type { Tables } from './tables.js';
import { keepFacts, type VersionFacts } from './version-facts.js';

/** What a commit records: the version and what it was made from. */
export interface NewDataset extends Omit<Dataset, 'published' | 'committedAt'> {
  readonly token: number;
  readonly inputs: readonly DatasetInput[];
  readonly inputsHash: string;
  readonly facts?: VersionFacts;
}

/** The committed versions. A row here is the commit: it is written once and never changed but for `published_at`. */
export class Datasets {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(id: string): Promise<Dataset> {
    const row = await this.#database.db
      .selectFrom('datasets')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return toDataset(row);
  }

  /** The commit that a run made for an interval, if it made one: the first wins, a retry finds it here. */
  async ofRun(target: string, interval: Interval, run: string): Promise<Dataset | undefined> {
    const row = await whereClaim(this.#database.db.selectFrom('datasets').selectAll(), { target, interval })
      .where('run_id', '=', run)
      .executeTakeFirst();
    return row && toDataset(row);
  }

  /** The generation that the next commit of an interval gets. Only its owner asks. */
  async nextGeneration(target: string, interval: Interval): Promise<number> {
    const query = this.#database.db.selectFrom('datasets').select((eb) => eb.fn.max('generation').as('last'));
    const { last } = await whereClaim(query, { target, interval }).executeTakeFirstOrThrow();
    return (last ?? 0) + 1;
  }

  /** Writes the commit row, its lineage and the ledger row, within the transaction of `Ownership.commit`. */
  async insert(tx: Transaction<Tables>, dataset: NewDataset): Promise<void> {
    const at = {
      target: dataset.target,
      interval_start: dataset.interval.start,
      interval_end: dataset.interval.end,
    };
    await tx
      .insertInto('datasets')
      .values({
        ...at,
        id: dataset.id,
        generation: dataset.generation,
        version: dataset.version,
        store: dataset.store,
        folder: dataset.folder,
        files: JSON.stringify(dataset.files),
        rows_table: dataset.table === undefined ? null : JSON.stringify(dataset.table),
        rows: dataset.rows,
        event_min: dataset.eventTimes?.min ?? null,
        event_max: dataset.eventTimes?.max ?? null,
        fingerprint: dataset.fingerprint,
        code_hash: dataset.codeHash ?? null,
        has_latest: dataset.hasLatest,
        run_id: dataset.run,
        token: dataset.token,
        // Not now(), which is when the transaction began: whoever asks what was committed at a time must get the same answer ever after.
        committed_at: sql<string>`clock_timestamp()`,
        published_at: null,
      })
      .execute();
    if (dataset.facts)
      await keepFacts(tx, dataset.id, dataset.facts, { run: dataset.run, step: dataset.target });
    for (const [position, input] of dataset.inputs.entries())
      await tx
        .insertInto('dataset_inputs')
        .values({
          dataset_id: dataset.id,
          position,
          source: input.source,
          input_dataset_id: input.type === 'dataset' ? input.dataset : null,
          detail: JSON.stringify(input),
        })
        .execute();
    const row = {
      generation: dataset.generation,
      dataset_id: dataset.id,
      run_id: dataset.run,
      fingerprint: dataset.fingerprint,
      inputs_hash: dataset.inputsHash,
      store_id: null,
      receipt: null,
      detail: JSON.stringify({ rows: dataset.rows }),
      committed_at: sql<string>`now()`,
    };
    await tx
      .insertInto('ledger')
      .values({ ...at, ...row })
      .onConflict((c) => c.columns(['target', 'interval_start', 'interval_end']).doUpdateSet(row))
      .execute();
  }

  /** Notes that every file of a version stands under its final name. */
  async markPublished(id: string): Promise<void> {
    await this.#database.db
      .updateTable('datasets')
      .set({ published_at: sql`now()` })
      .where('id', '=', id)
      .where('published_at', 'is', null)
      .execute();
  }

  /**
   * The versions of a target that the ledger calls current, oldest interval first; `within` keeps those with rows in
   * `[from, before)` by their event times (for sources that have a timestamp), and those whose intervals end in `(after, until]`; `newest`: the
   * last of them alone.
   */
  async current(
    target: string,
    within: {
      readonly from?: string;
      readonly before?: string;
      readonly after?: string;
      readonly until?: string;
      readonly newest?: boolean;
    } = {},
  ): Promise<Dataset[]> {
    const order = within.newest === true ? 'desc' : 'asc';
    let query = this.#database.db
      .selectFrom('ledger')
      .innerJoin('datasets', 'datasets.id', 'ledger.dataset_id')
      .selectAll('datasets')
      .where('ledger.target', '=', target)
      .orderBy('ledger.interval_end', order)
      .orderBy('ledger.interval_start', order);
    if (within.after !== undefined) query = query.where('ledger.interval_end', '>', within.after);
    if (within.until !== undefined) query = query.where('ledger.interval_end', '<=', within.until);
    if (within.newest === true) query = query.limit(1);
    // A version without event times has no rows of any time.
    if (within.from !== undefined) query = query.where('datasets.event_max', '>=', within.from);
    if (within.before !== undefined) query = query.where('datasets.event_min', '<', within.before);
    return (await query.execute()).map(toDataset);
  }

  /** The versions of a target that were current at an instant, oldest interval first. Waits for commits that are under way. */
  async asOf(target: string, at: string): Promise<Dataset[]> {
    const { db, schema } = this.#database;
    return await db.transaction().execute(async (tx) => {
      await sql`LOCK TABLE ${sql.id(schema, 'datasets')} IN SHARE MODE`.execute(tx);
      const rows = await tx
        .selectFrom('datasets')
        .selectAll()
        .distinctOn(['interval_end', 'interval_start'])
        .where('target', '=', target)
        .where('committed_at', '<=', at)
        .orderBy('interval_end')
        .orderBy('interval_start')
        .orderBy('generation', 'desc')
        .execute();
      return rows.map(toDataset);
    });
  }

  /** The current version of the newest interval: what `latest` must show. What was built as of a time is none of an interval's. */
  async newest(target: string): Promise<Dataset | undefined> {
    const row = await this.#database.db
      .selectFrom('datasets')
      .selectAll()
      .where('target', '=', target)
      .where((eb) =>
        eb.or([eb('interval_start', '<>', ALL_TIME.start), eb('interval_end', '=', ALL_TIME.end)]),
      )
      .orderBy('interval_end', 'desc')
      .orderBy('interval_start', 'desc')
      .orderBy('generation', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && toDataset(row);
  }

  /** A version by its name. */
  async named(target: string, version: string): Promise<Dataset | undefined> {
    const row = await this.#database.db
      .selectFrom('datasets')
      .selectAll()
      .where('target', '=', target)
      .where('version', '=', version)
      .executeTakeFirst();
    return row && toDataset(row);
  }

  /**
   * The version that a run's version of an interval is held against: what the ledger calls current of the interval before or, where there is none,
   * the newest of the same interval that the run did not make.
   */
  async before(target: string, interval: Interval, run: string): Promise<Dataset | undefined> {
    const row = await this.#database.db
      .selectFrom('ledger')
      .innerJoin('datasets', 'datasets.id', 'ledger.dataset_id')
      .selectAll('datasets')
      .where('ledger.target', '=', target)
      .where('ledger.interval_end', '<=', interval.start)
      // What was built as of a time holds the rows of every interval before it.
      .where('ledger.interval_start', '<>', ALL_TIME.start)
      .orderBy('ledger.interval_end', 'desc')
      .orderBy('ledger.interval_start', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (row) return toDataset(row);
    return (await this.generations(target, interval)).find((dataset) => dataset.run !== run);
  }

  /** Every version of an interval, newest generation first: the first one is current. */
  async generations(target: string, interval: Interval): Promise<Dataset[]> {
    const rows = await whereClaim(this.#database.db.selectFrom('datasets').selectAll(), { target, interval })
      .orderBy('generation', 'desc')
      .execute();
    return rows.map(toDataset);
  }

  /** Every version of a target, newest interval and generation first; whether the ledger calls it current, and the workflow that made it. */
  async versions(
    target: string,
    limit: number,
    interval?: Interval,
  ): Promise<
    { readonly dataset: Dataset; readonly current: boolean; readonly workflowId: string | undefined }[]
  > {
    let query = this.#database.db
      .selectFrom('datasets')
      .leftJoin('ledger', (join) =>
        join.onRef('ledger.dataset_id', '=', 'datasets.id').onRef('ledger.target', '=', 'datasets.target'),
      )
      .leftJoin('runs', 'runs.run_id', 'datasets.run_id')
      .selectAll('datasets')
      .select(['ledger.dataset_id as current', 'runs.workflow_id as workflow'])
      .where('datasets.target', '=', target)
      .orderBy('datasets.interval_end', 'desc')
      .orderBy('datasets.interval_start', 'desc')
      .orderBy('datasets.generation', 'desc')
      .limit(limit);
    if (interval)
      query = query
        .where('datasets.interval_start', '=', interval.start)
        .where('datasets.interval_end', '=', interval.end);
    return (await query.execute()).map(({ current, workflow, ...row }) => ({
      dataset: toDataset(row),
      current: current !== null,
      workflowId: workflow ?? undefined,
    }));
  }

  /** What a version was made from. */
  async inputs(id: string): Promise<DatasetInput[]> {
    const rows = await this.#database.db
      .selectFrom('dataset_inputs')
      .select('detail')
      .where('dataset_id', '=', id)
      .orderBy('position')
      .execute();
    return rows.map((row) => row.detail);
  }

  /** What each current version of a target was made from: dataset id -> inputs in order. */
  async inputsOfCurrent(target: string): Promise<Map<string, DatasetInput[]>> {
    const rows = await this.#database.db
      .selectFrom('ledger')
      .innerJoin('dataset_inputs', 'dataset_inputs.dataset_id', 'ledger.dataset_id')
      .select(['dataset_inputs.dataset_id as dataset', 'dataset_inputs.detail as detail'])
      .where('ledger.target', '=', target)
      .orderBy('dataset_inputs.position')
      .execute();
    const inputs = new Map<string, DatasetInput[]>();
    for (const { dataset, detail } of rows) {
      const known = inputs.get(dataset);
      if (known) known.push(detail);
      else inputs.set(dataset, [detail]);
    }
    return inputs;
  }

  /** Commits whose publication was cut off: any run may finish it. */
  async unpublished(target: string): Promise<Dataset[]> {
    const rows = await this.#database.db
      .selectFrom('datasets')
      .selectAll()
      .where('target', '=', target)
      .where('published_at', 'is', null)
      .orderBy('committed_at')
      .execute();
    return rows.map(toDataset);
  }
}

function toDataset(row: Selectable<Tables['datasets']>): Dataset {
  return {
    id: row.id,
    target: row.target,
    interval: { start: row.interval_start, end: row.interval_end },
    generation: row.generation,
    version: row.version,
    store: row.store,
    folder: row.folder,
    files: row.files,
    ...(row.rows_table === null ? {} : { table: row.rows_table }),
    rows: row.rows,
    ...(row.event_min === null || row.event_max === null
      ? {}
      : { eventTimes: { min: row.event_min, max: row.event_max } }),
    fingerprint: row.fingerprint,
    ...(row.code_hash === null ? {} : { codeHash: row.code_hash }),
    hasLatest: row.has_latest,
    run: row.run_id,
    committedAt: row.committed_at,
    published: row.published_at !== null,
  };
}
