import { collectTables } from './collect-tables.js';
import { crashPoint } from './crash-points.js';
import type { RunStatus } from '../registry/tables.js';
import type { ResolvedRun, StepFailure } from './messages.js';
import { collectStaging } from './resolve-run.js';
import type { Runtime } from './runtime.js';

export interface FinishRequest {
  readonly run: ResolvedRun['run'];
  readonly status: Extract<RunStatus, 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'DEADLINE_EXCEEDED'>;
  readonly completed: readonly string[];
  readonly failures: readonly StepFailure[];
  /** Why it ended so; default: the failures. */
  readonly error?: string;
}

/** Records how a run ended and removes what it staged. */
export async function finishRun(
  runtime: Runtime,
  { run, status, completed, failures, error }: FinishRequest,
): Promise<void> {
  const { registry } = runtime;
  // A promotion makes nothing: that it failed says nothing of the variants.
  if ((await registry.runs.get(run.id))?.type !== 'promote')
    for (const { step, message } of failures) await registry.resources.mark(step, 'FAILED', message);
  await crashPoint('run.before-end');
  await registry.runs.end(
    run.id,
    status,
    [
      ...completed.map((step) => ({ step, status: 'COMPLETED' as const })),
      ...failures.map(({ step, message }) => ({ step, status: 'FAILED' as const, error: message })),
    ],
    error ?? (failures.map(({ step, message }) => `${step}: ${message}`).join('\n') || undefined),
  );
  await registry.promotions.abandonEnded();
  await crashPoint('run.after-end');
  await registry.logs.removeOld();
  await collectStaging(runtime);
  await collectTables(runtime);
}
