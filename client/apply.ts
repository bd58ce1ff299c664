import { WorkflowFailedError } from '@temporalio/client';
import { planApply, type ApplyPlan } from '../definitions/apply-plan.js';
import { contractOf } from '../definitions/contract-file.js';
import { GranaryError } from '../definitions/errors.js';
import { didYouMean } from '../definitions/names.js';
import { feastProject } from '../definitions/project.js';
import { runName } from '../definitions/run-names.js';
import type { OpenProject } from '../providers/bind.js';
import { itemsNow } from '../registry/apply-outcome.js';
import type { ApplyItem } from '../registry/applies.js';
import type { Registry } from '../registry/registry.js';
import { childIds, settleApply, type ClosedAs } from '../registry/settle.js';
import type { RunStatus } from '../registry/tables.js';
import { caller } from './caller.js';
import type { Workflows } from './workflows.js';

/** How an apply stands. */
export interface ApplyState {
  /** Its name: two words. */
  readonly run: string;
  readonly workflowId: string;
  /** `user@host`, or `Temporal UI`. */
  readonly by: string;
  /** ISO-8601. */
  readonly at: string;
  readonly status: RunStatus;
  readonly error: string | undefined;
  /** As it was registered, under the lock; undefined before. */
  readonly plan: ApplyPlan | undefined;
  /** In the order of the definitions: upstream first. Empty until they are registered. */
  readonly resources: readonly ApplyItem[];
}

/** An apply that was started. */
export interface ApplyHandle {
  readonly run: string;
  readonly workflowId: string;
  /** What it was to do when it was started; another apply may come first. */
  readonly plan: ApplyPlan;
  /** How it stands now. */
  status(): Promise<ApplyState>;
  /** How it stands once it has ended, well or badly. */
  result(): Promise<ApplyState>;
}

/** What applying a project would do, against what is registered now. */
export async function planOf({ project, environments }: OpenProject, registry: Registry): Promise<ApplyPlan> {
  await registry.migrate();
  const { changes: _, ...plan } = planApply(
    contractOf(project, environments),
    await registry.resources.all(),
    await registry.resources.pipelines(),
  );
  return plan;
}

/** Notes the contract under a new name and starts the workflow `apply/<project>_<env>/<name>`. */
export async function startApply(
  { project, environments, scope }: OpenProject,
  registry: Registry,
  workflows: Workflows,
): Promise<Pick<ApplyHandle, 'run' | 'workflowId'> & { readonly ended: () => Promise<void> }> {
  const contract = contractOf(project, environments);
  for (;;) {
    const run = runName(Math.random);
    const workflowId = `apply/${feastProject(scope)}/${run}`;
    // Somebody may have the name.
    if (!(await registry.applies.add({ id: run, workflowId, by: caller(), contract }))) continue;
    const started = await workflows.start<unknown>('apply', [run], { apply: run }, `apply ${run}`);
    const ended = async (): Promise<void> => {
      await started.result().catch((error: unknown) => {
        if (!(error instanceof WorkflowFailedError)) throw error;
      });
    };
    return { run, workflowId, ended };
  }
}

/** Reads an apply, and settles it if Temporal closed it without its saying so. */
export async function readApply(registry: Registry, closedAs: ClosedAs, run: string): Promise<ApplyState> {
  await registry.migrate();
  const found = await registry.applies.get(run);
  if (!found)
    throw new GranaryError(
      'UnknownResource',
      `There is no apply "${run}". ${didYouMean(run, await registry.applies.names(50))}`,
    );
  if (found.endedAt === undefined) await settleApply(registry, closedAs, found);
  const apply = (await registry.applies.get(run)) ?? found;
  const items = await registry.applies.items(run);
  const { workflowId, by, at, status, error, plan } = apply;
  return {
    ...{ run, workflowId, by, at, status, error, plan },
    resources:
      apply.endedAt === undefined ? itemsNow(items, await registry.applies.steps(childIds(apply))) : items,
  };
}
