import type { Resource } from '../definitions/contract.js';
import type { JoinedView } from '../providers/offline/provider.js';
import type { TableRelation } from '../providers/offline/table-provider.js';
import type { DatasetInput } from '../registry/dataset.js';
import { crashPoint } from './crash-points.js';
import { examine, inputColumns, noteFacts } from './examine-version.js';
import { cut, type Resources } from './inputs.js';
import { joinProfiles, ruledSet } from './join-profiles.js';
import type { StagedRows, StepRequest } from './messages.js';
import { tableOf } from './relations.js';
import { withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';
import { joinedFacts, refuseLeaks, spineBounds, type TrainingPlan } from './training-set-plan.js';

/** What {@link joinTables} works on. */
export interface TableJoin {
  readonly resources: Resources;
  readonly set: Resource<'trainingSet'>;
  readonly plan: TrainingPlan;
  readonly pinned: readonly DatasetInput[];
  readonly token: number;
}

/** Joins a training set in the database that all of its sources lie in, over one snapshot of them, and stages the rows there. */
export async function joinTables(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
  { resources, set, plan, pinned, token }: TableJoin,
): Promise<StagedRows> {
  const started = performance.now();
  const { run, step, interval } = request;
  return await withTables(runtime, request, attempt, set.spec.store, async (session, at) => {
    const labels = await tableOf(runtime, plan.labelSource, pinned, { use: 'label' });
    const views: JoinedView<TableRelation>[] = [];
    for (const { source, role: _role, ...view } of plan.views) {
      // Rows at or after the interval's end cannot meet a label of it.
      const relation = await tableOf(runtime, source, pinned, { ...cut(source, interval), use: 'features' });
      views.push({ ...view, relation });
    }
    await crashPoint('training-set.before-stage');
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const joined = await session.pointInTimeJoin({
      spine: { ...plan.spine, relation: { ...labels, ...spineBounds(plan, interval) } },
      views,
      knownAt: plan.knownAt,
      output: {
        name: `training set ${set.name}`,
        schema: plan.schema,
        keys: [],
        stage: { run: run.id, target: step.id, token },
        interval,
      },
    });
    refuseLeaks(set, joined);
    await crashPoint('training-set.after-stage');
    const rows = { name: `the rows of training set ${set.name}`, schema: plan.schema, keys: [] };
    const facts = await examine(runtime, request, {
      ...ruledSet(set, plan),
      profile: async () => ({
        ...(await session.profile(joined.table, rows)),
        joins: joinProfiles(plan, joined),
      }),
      validate: (rules) => session.validate(joined.table, rows, rules),
      inputColumns: () => inputColumns(runtime, resources, pinned, { tables: session, signal: at.signal }),
    });
    const result = {
      store: set.spec.store,
      table: joined.table,
      ...joinedFacts(plan, joined),
      ms: Math.round(performance.now() - started),
    };
    await noteFacts(runtime, request, result, facts);
    return result;
  });
}
