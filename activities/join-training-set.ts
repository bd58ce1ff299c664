import { join } from 'node:path';
import { isAllTime } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { JoinedView, Output } from '../providers/offline/provider.js';
import { crashPoint } from './crash-points.js';
import { examine, inputColumns, noteFacts } from './examine-version.js';
import { verifySources } from './inputs.js';
import { joinProfiles, ruledSet } from './join-profiles.js';
import { joinTables } from './join-tables.js';
import type { StagedRows, StepRequest } from './messages.js';
import { relationOf } from './relations.js';
import { withEngine, type Runtime } from './runtime.js';
import { stageRows, stagingFolder } from './staging.js';
import type { Attempt } from './step.js';
import { joinedFacts, refuseLeaks, spineBounds, trainingPlan } from './training-set-plan.js';

/** Joins the label's rows of the interval point-in-time with the features and stages the training rows. */
export async function joinTrainingSet(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
): Promise<StagedRows> {
  const started = performance.now();
  const { run, step, interval } = request;
  const token = await runtime.registry.ownership.nextToken({ target: step.id, interval }, run);
  const resources = await runtime.registry.resources.all();
  const set = resourceOf(resources, step.id, 'trainingSet');
  const plan = trainingPlan(resources, set);
  const pinned = await runtime.registry.runs.inputs(run.id, step.id);
  if (set.spec.engine === 'postgres')
    return await joinTables(runtime, request, attempt, { resources, set, plan, pinned, token });
  return await withEngine(runtime, request, attempt, async (session, folder, at) => {
    const engine = { session, folder, signal: at.signal };
    const labels = await relationOf(runtime, plan.labelSource, pinned, engine, { use: 'label' });
    const spine = {
      ...labels,
      ...spineBounds(plan, interval),
    };
    if (spine.files.length > 0) await session.inspect(spine);
    const views: JoinedView[] = [];
    for (const { source, role: _role, ...view } of plan.views) {
      // Rows at or after the interval's end cannot meet a label of it.
      const relation = await relationOf(runtime, source, pinned, engine, {
        ...(isAllTime(interval) ? {} : { before: interval.end }),
        use: 'features',
      });
      if (relation.files.length > 0) await session.inspect(relation);
      views.push({ ...view, relation });
    }
    const output: Output = {
      name: `training set ${set.name}`,
      schema: plan.schema,
      keys: [],
      parquet: join(folder, 'features.parquet'),
      csv: join(folder, 'features.csv'),
    };
    const joined = await session.pointInTimeJoin({
      spine: { ...plan.spine, relation: spine },
      views,
      knownAt: plan.knownAt,
      output,
    });
    refuseLeaks(set, joined);
    await verifySources(runtime, resources, pinned);
    const rows = { name: `the rows of ${output.name}`, schema: plan.schema };
    const facts = await examine(runtime, request, {
      ...ruledSet(set, plan),
      profile: async () => ({
        ...(await session.profile({ ...rows, parquet: output.parquet })),
        joins: joinProfiles(plan, joined),
      }),
      validate: (rules) =>
        session.validate(
          {
            ...rows,
            format: 'parquet',
            files: [{ path: output.parquet, uri: output.name, generation: 0 }],
          },
          rules,
        ),
      inputColumns: () => inputColumns(runtime, resources, pinned, { files: session, signal: at.signal }),
    });
    await crashPoint('training-set.before-stage');
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const staged = await stageRows(
      runtime,
      set.spec.store,
      stagingFolder(run.id, set, token),
      output,
      at.signal,
    );
    await crashPoint('training-set.after-stage');
    const result = {
      ...staged,
      ...joinedFacts(plan, joined),
      ms: Math.round(performance.now() - started),
    };
    await noteFacts(runtime, request, result, facts);
    return result;
  });
}
