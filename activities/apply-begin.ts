import { contractOf } from '../definitions/contract-file.js';
import { GranaryError } from '../definitions/errors.js';
import { ALL_TIME } from '../definitions/interval.js';
import { runName } from '../definitions/run-names.js';
import { settle } from '../registry/settle.js';
import { crashPoint } from './crash-points.js';
import type { ApplyRef, BeginApply } from './messages.js';
import { closeStatus } from './owner.js';
import type { Runtime } from './runtime.js';
import { currentRun } from './step.js';

/**
 * An apply's first step: finds what is to be applied, or notes the worker's own project under a new name, settles what closed workflows left
 * open, and records the run.
 * @throws GranaryError `UnknownResource`, `InvalidInput`: no such apply, or one that was carried out.
 */
export async function beginApply(runtime: Runtime, { apply: asked }: BeginApply): Promise<ApplyRef> {
  const { registry } = runtime;
  const run = currentRun();
  await registry.migrate();
  const id = asked ?? (await ownProject(runtime, run));
  await settle(registry, closeStatus, run.id);
  await crashPoint('apply.before-begin');
  if (!(await registry.applies.get(id)))
    throw new GranaryError(
      'UnknownResource',
      `There is no apply "${id}". Leave "apply" out to apply the worker's own project, or use: granary apply`,
    );
  if (!(await registry.applies.begin(id, run)))
    throw new GranaryError(
      'InvalidInput',
      `The apply "${id}" was carried out already. Apply the definitions again under a new name: granary apply`,
    );
  // An apply is a run as others are: once it is recorded as ended, nothing of it commits any more.
  await registry.runs.begin({
    ...run,
    type: 'apply',
    plan: { interval: ALL_TIME, steps: [], fingerprint: '' },
    retries: { max: 0, delay: '1s' },
  });
  await crashPoint('apply.after-begin');
  return { apply: id, run, heartbeatTimeout: runtime.heartbeatTimeout };
}

/** Notes the worker's own project as what this run applies; the same again for the same run. */
async function ownProject(
  { registry, project, environments }: Runtime,
  run: ReturnType<typeof currentRun>,
): Promise<string> {
  const contract = contractOf(project, environments);
  for (;;) {
    const known = await registry.applies.ofRun(run.id);
    if (known) return known.id;
    const id = runName(Math.random);
    await registry.applies.add({
      id,
      workflowId: run.workflowId,
      runId: run.id,
      by: 'Temporal UI',
      contract,
    });
  }
}
