import { setTimeout as sleep } from 'node:timers/promises';
import type { GranaryClient, RunHandle } from '../client/index.js';
import { whileWaiting } from './interrupt.js';
import { sameProject, type ProjectFlags } from './options.js';

/** Waits for a run as long as there is a worker to do it. */
export async function awaitRun<T>(client: GranaryClient, result: Promise<T>): Promise<T> {
  const ended = result.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  for (;;) {
    const outcome = await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
    if (!outcome) {
      await client.requireWorker();
      continue;
    }
    if ('value' in outcome) return outcome.value;
    throw outcome.error;
  }
}

/** Says what was started, unless JSON is wanted, and waits for it; on Ctrl-C it goes on without the command. */
export async function awaitStarted<T>(
  client: GranaryClient,
  run: Pick<RunHandle, 'workflowId' | 'runId'> & { result(): Promise<T> },
  { command, json, ...flags }: ProjectFlags & { readonly command: string; readonly json?: true },
): Promise<T> {
  const { workflowId, runId } = run;
  if (!json) process.stderr.write(`granary ${command}: started ${workflowId} (run ${runId})\n`);
  using _ = whileWaiting(
    `${workflowId} goes on. Watch it: granary runs show ${workflowId}${sameProject(flags)}`,
  );
  return await awaitRun(client, run.result());
}
