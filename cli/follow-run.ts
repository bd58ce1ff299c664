import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { GranaryClient, LoadProgress, RunHandle, RunResult, RunStep } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { awaitRun } from './await-run.js';
import { widthOf } from './colors.js';
import { whileWaiting } from './interrupt.js';
import { barLine } from './load-lines.js';
import { sameProject, type ProjectFlags } from './options.js';
import { stepLine, stepsTable } from './runs-text.js';
import { json } from './table.js';
import { counted, durationText } from './words.js';

/** What a command that starts a run and may watch it takes. */
export interface FollowFlags extends Partial<ProjectFlags> {
  readonly follow?: true;
  readonly json?: true;
}

/** Adds `--follow`. */
export const withFollow = (command: Command): Command =>
  command.option('-f, --follow', 'shows the steps until the run ends; the exit status says how it ended');

type Started = Pick<RunHandle, 'workflowId' | 'runId'>;

/** That a run was started, and how to watch it. */
export const startedText = ({ workflowId, runId }: Started, flags: Partial<ProjectFlags>): string =>
  `Started ${workflowId} (run ${runId})\nIt goes on without this command. Watch it with: granary runs show ${runId}${sameProject(flags)}\n`;

/**
 * Shows a run's steps until it ends: a table that is drawn over on a terminal, else a line whenever a step changes; then how it ended. As JSON only the
 * end.
 * @throws what the run failed with.
 */
export async function followRun(client: GranaryClient, run: RunHandle, flags: FollowFlags): Promise<void> {
  const began = Date.now();
  const { workflowId, runId } = run;
  using _ = whileWaiting(
    `${workflowId} goes on. Watch it: granary runs show ${runId}${sameProject(flags)}; stop it: granary runs cancel ${runId}${sameProject(flags)}`,
  );
  if (flags.json) {
    const result = await awaitRun(client, run.result());
    process.stdout.write(json({ workflowId, run: runId, status: 'COMPLETED', ...result }));
    return;
  }
  process.stdout.write(`Started ${workflowId} (run ${runId})\n`);
  const result = await watch(client, run, process.stdout.isTTY ? screen() : lines());
  process.stdout.write(outcome(result, Date.now() - began));
}

type Show = (steps: readonly RunStep[], loads: readonly LoadProgress[]) => void;

async function watch(client: GranaryClient, run: RunHandle, show: Show): Promise<RunResult> {
  const over = new AbortController();
  const ended = awaitRun(client, run.result()).finally(() => over.abort());
  // Taken up below; until then a rejection is none that nobody handles.
  ended.catch(() => undefined);
  while (!over.signal.aborted) {
    const steps = await run.steps().catch(() => []);
    const loading = steps.some(({ kind, status }) => kind === 'materialize' && status === 'RUNNING');
    // Whether there is a worker to answer is awaitRun's to find out.
    const loads = loading ? await run.loads().catch(() => []) : [];
    show(steps, loads);
    await sleep(500, undefined, { signal: over.signal }).catch(() => undefined);
  }
  show(await run.steps().catch(() => []), []);
  return await ended;
}

/** Draws the table of steps over the one before. */
function screen(): Show {
  let shown = 0;
  return (steps, loads) => {
    if (steps.length === 0) return;
    const { rows = 24, columns = 80 } = process.stdout;
    const bars = loads.filter(({ state }) => state === 'loading').map((load) => barLine(load, columns - 1));
    const all = stepsTable(steps).trimEnd().split('\n');
    const drawn = [...all.slice(0, Math.max(1, rows - bars.length - 1)), ...bars];
    // A line that wrapped would leave its rest behind.
    const fitting = drawn.map((line) => (widthOf(line) < columns ? line : line.slice(0, columns - 1)));
    const up = shown > 0 ? `\x1b[${shown}A\x1b[J` : '';
    process.stdout.write(`${up}${fitting.map((line) => `${line}\n`).join('')}`);
    shown = fitting.length;
  };
}

/** Writes a line for each step that is in another state than before. */
function lines(): Show {
  const known = new Map<string, string>();
  return (steps) => {
    for (const step of steps) {
      if (known.get(step.step) === step.status) continue;
      known.set(step.step, step.status);
      if (step.status !== 'PENDING') process.stdout.write(`${stepLine(step)}\n`);
    }
  };
}

function outcome({ pipeline, interval, steps, notes = [] }: RunResult, ms: number): string {
  const made = steps.filter((step) => step.outcome === 'made').length;
  const what = `${pipeline ?? 'The run'} for ${intervalName(interval)}`;
  const counts = `${counted(made, 'step')} made, ${steps.length - made} valid already`;
  return [...notes, `${what} is complete: ${counts}, in ${durationText(ms)}.`]
    .map((line) => `${line}\n`)
    .join('');
}
