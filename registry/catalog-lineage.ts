import { sql } from 'kysely';
import type { Interval } from '../definitions/interval.js';
import type { Database } from './database.js';
import type { DatasetInput } from './dataset.js';

/** A version in a lineage. */
export interface DatasetNode {
  readonly dataset: string;
  readonly target: string;
  readonly version: string;
  readonly interval: Interval;
  readonly rows: number;
}

/** Everything that a version was made from, and everything that was made from it. */
export interface DatasetLineage {
  /** The version itself and every other one of the lineage, by id. */
  readonly datasets: ReadonlyMap<string, DatasetNode>;
  /** Dataset -> what its run read: versions, and files of raw sources. */
  readonly inputs: ReadonlyMap<string, readonly DatasetInput[]>;
  /** Dataset -> the datasets that were made from it. */
  readonly outputs: ReadonlyMap<string, readonly string[]>;
  /** Dataset -> the views that have it online now, by id. */
  readonly online: ReadonlyMap<string, readonly string[]>;
  /** Dataset -> the models that were trained on it. */
  readonly models: ReadonlyMap<string, readonly string[]>;
}

/** The lineage of a version, both ways, each version once. */
export async function lineageOf({ db, schema }: Database, id: string): Promise<DatasetLineage> {
  const inputsTable = sql.table(`${schema}.dataset_inputs`);
  const { rows: edges } = await sql<{
    dataset: string;
    direction: 'up' | 'down';
    detail: DatasetInput;
    input: string | null;
  }>`
    WITH RECURSIVE up AS (
      SELECT dataset_id, position, input_dataset_id FROM ${inputsTable} WHERE dataset_id = ${id}
      UNION SELECT i.dataset_id, i.position, i.input_dataset_id FROM ${inputsTable} i JOIN up ON i.dataset_id = up.input_dataset_id
    ), down AS (
      SELECT dataset_id, position, input_dataset_id FROM ${inputsTable} WHERE input_dataset_id = ${id}
      UNION SELECT i.dataset_id, i.position, i.input_dataset_id FROM ${inputsTable} i JOIN down ON i.input_dataset_id = down.dataset_id
    )
    SELECT i.dataset_id AS dataset, e.direction, i.detail, i.input_dataset_id AS input
    FROM (SELECT *, 'up' AS direction FROM up UNION ALL SELECT *, 'down' FROM down) e
    JOIN ${inputsTable} i USING (dataset_id, position)
    ORDER BY i.dataset_id, i.position`.execute(db);
  const inputs = new Map<string, DatasetInput[]>();
  const outputs = new Map<string, string[]>();
  const ids = new Set([id]);
  for (const { dataset, direction, detail, input } of edges) {
    ids.add(dataset);
    if (input !== null) ids.add(input);
    if (direction === 'up') append(inputs, dataset, detail);
    else if (input !== null && !(outputs.get(input) ?? []).includes(dataset)) append(outputs, input, dataset);
  }
  const known = await db
    .selectFrom('datasets')
    .select(['id', 'target', 'version', 'interval_start', 'interval_end', 'rows'])
    .where('id', 'in', [...ids])
    .execute();
  const online = new Map<string, string[]>();
  const loads = await db
    .selectFrom('ledger')
    .select(['target', 'dataset_id'])
    .where('dataset_id', 'in', [...ids])
    .where('store_id', 'is not', null)
    .orderBy('target')
    .execute();
  for (const { target, dataset_id: dataset } of loads)
    if (dataset !== null && !(online.get(dataset) ?? []).includes(target)) append(online, dataset, target);
  const models = new Map<string, string[]>();
  const links = await db
    .selectFrom('models')
    .select(['name', 'dataset_id'])
    .where('dataset_id', 'in', [...ids])
    .orderBy('name')
    .execute();
  for (const { name, dataset_id: dataset } of links) append(models, dataset, `model/${name}`);
  return {
    datasets: new Map(
      known.map((row) => [
        row.id,
        {
          dataset: row.id,
          target: row.target,
          version: row.version,
          interval: { start: row.interval_start, end: row.interval_end },
          rows: row.rows,
        },
      ]),
    ),
    inputs,
    outputs,
    online,
    models,
  };
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}
