import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { messageOf } from '../definitions/errors.js';
import { toldText } from '../definitions/told-text.js';
import { StatementLog } from '../providers/offline/statement-log.js';
import { workerIdentity } from '../registry/package-version.js';
import type { StepLog, StepLogOutcome, StepLogs } from '../registry/step-logs.js';
import type { StepRequest } from './messages.js';

/** A statement that takes long can be looked at while it runs, and is known should the worker die. */
const WHILE_RUNNING_MS = 5000;
/** A step does not wait longer for a registry that is away. */
const PATIENCE_MS = 2000;

/**
 * Does an attempt's work and keeps what it sent to engines and how it ended, for `granary runs logs`. Attempts that sent nothing and did not fail
 * leave nothing. The log is an aid: what goes wrong with it never fails a step.
 */
export async function logged<T>(
  logs: StepLogs,
  { run, step }: Pick<StepRequest, 'run' | 'step'>,
  work: () => Promise<T>,
): Promise<T> {
  const { cancellationSignal, info } = Context.current();
  const log = new StatementLog();
  const startedAt = new Date().toISOString();
  let written = 0;
  let last: Promise<unknown> = Promise.resolve();
  const write = (outcome: StepLogOutcome, error?: unknown): Promise<unknown> => {
    written = log.changes;
    const entry: Omit<StepLog, 'updatedAt'> = {
      step: step.id,
      activity: info.activityType,
      activityId: info.activityId,
      attempt: info.attempt,
      worker: workerIdentity,
      outcome,
      code: error instanceof ApplicationFailure ? (error.type ?? undefined) : undefined,
      error: error === undefined || outcome === 'cancelled' ? undefined : toldText(messageOf(error)),
      statements: [...log.statements],
      omitted: log.omitted,
      startedAt,
    };
    // In order: an earlier state must not come after the end.
    return (last = last.then(() => logs.write(run.id, entry)).catch(() => undefined));
  };
  const timer = setInterval(() => {
    if (log.changes > written) void write('running');
  }, WHILE_RUNNING_MS);
  const end = async (outcome: StepLogOutcome, error?: unknown): Promise<void> => {
    clearInterval(timer);
    if (outcome === 'completed' && log.statements.length === 0 && written === 0) return;
    let patience: NodeJS.Timeout | undefined;
    await Promise.race([
      write(outcome, error),
      new Promise((resolve) => (patience = setTimeout(resolve, PATIENCE_MS))),
    ]);
    clearTimeout(patience);
  };
  try {
    const result = await log.run(work);
    await end('completed');
    return result;
  } catch (error) {
    await end(cancellationSignal.aborted ? 'cancelled' : 'failed', error);
    throw error;
  }
}
