import { orderedSchema, type BuiltSourceSpec, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import { fillSql, quoteName } from '../definitions/sql.js';
import { wholeName } from '../providers/offline/postgres/sql-text.js';
import type { TableRelation } from '../providers/offline/table-provider.js';
import type { DatasetInput } from '../registry/dataset.js';
import { crashPoint } from './crash-points.js';
import { readFrom } from '../registry/version-choice.js';
import { cut, type Resources } from './inputs.js';
import type { StagedRows, StepRequest } from './messages.js';
import { tableOf } from './relations.js';
import { withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';

/** What {@link buildTable} works on. */
export interface TableBuild {
  readonly resources: Resources;
  readonly source: Resource<'source'>;
  readonly spec: BuiltSourceSpec;
  readonly pinned: readonly DatasetInput[];
  readonly token: number;
}

/** Runs a transformation's SQL in its database, over one snapshot of its inputs, and stages the rows there. */
export async function buildTable(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
  { resources, source, spec, pinned, token }: TableBuild,
): Promise<StagedRows> {
  const started = performance.now();
  const { build } = spec;
  const { run, step, interval } = request;
  if (!('sql' in build)) throw new GranaryError('Internal', `${step.id} has no SQL.`);
  return await withTables(runtime, request, attempt, spec.store, async (session) => {
    const inputs: Record<string, TableRelation> = {};
    for (const [name, id] of Object.entries(spec.inputs)) {
      const input = resourceOf(resources, id, 'source');
      inputs[wholeName(name)] = await tableOf(
        runtime,
        input,
        pinned,
        cut(input, interval, readFrom(spec, interval)),
      );
    }
    await crashPoint('transform.before-stage');
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const staged = await session.query({
      sql: fillSql(build.sql, interval, (name) => quoteName(wholeName(name))),
      inputs,
      output: {
        name: `transformation ${source.name}`,
        schema: orderedSchema(spec),
        keys: spec.keys,
        ...(spec.timestampField === undefined ? {} : { timestampField: spec.timestampField }),
        stage: { run: run.id, target: step.id, token },
        interval,
      },
    });
    await crashPoint('transform.after-stage');
    return { store: spec.store, ...staged, ms: Math.round(performance.now() - started) };
  });
}
