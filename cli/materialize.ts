import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { GranaryClient, LoadProgress, RunHandle, RunResult } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { awaitRun } from './await-run.js';
import { useClient, type ClientFlags } from './connect.js';
import { whileWaiting } from './interrupt.js';
import { barLine, loadedText, stateLine } from './load-lines.js';
import { sameProject, withProject, withTaskQueue } from './options.js';
import { json as jsonText } from './table.js';

interface MaterializeFlags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly fullRefresh?: true;
  readonly json?: true;
  readonly detach?: true;
}

export function addMaterialize(program: Command): void {
  const command = program
    .command('materialize')
    .description(
      'Loads feature views into their online stores from the versions that are recorded: what the stores lack by the ledger, or what of it lies in a window. Builds nothing. A worker must be running.',
    )
    .argument('[views...]', 'their names (default: all that are served online)')
    .option('--from <time>', 'only from then on: 2026-01-31, ISO-8601, now, or before now: -2d, -36h')
    .option('--to <time>', 'only before then (default with --from: now)')
    .option('--full-refresh', 'loads everything anew, and removes entities that are no longer there')
    .option('--json', 'one JSON object at the end instead of progress')
    .option('--detach', 'starts the run and does not wait for it');
  withTaskQueue(withProject(command))
    .addHelpText(
      'after',
      '\nExamples:\n  granary materialize\n  granary materialize user_features --from -2d\n  granary materialize --from 2026-01-01 --to 2026-02-01',
    )
    .action(async (views: string[], flags: MaterializeFlags) => {
      await useClient(flags, async (client) => {
        const { from, to, fullRefresh, json, detach } = flags;
        const run = await client.materialize({
          ...(views.length === 0 ? {} : { views }),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(fullRefresh ? { fullRefresh } : {}),
        });
        const { workflowId, runId } = run;
        // With --json stderr is for an error alone.
        if (!json) process.stderr.write(`granary materialize: started ${workflowId} (run ${runId})\n`);
        if (detach) {
          if (json) process.stdout.write(jsonText({ workflowId, run: runId }));
          else
            process.stdout.write(
              `It goes on without this command. Watch it with: granary runs show ${runId}${sameProject(flags)}\n`,
            );
          return;
        }
        using _ = whileWaiting(
          `${workflowId} goes on. Watch it: granary runs show ${runId}${sameProject(flags)}`,
        );
        const result = await follow(client, run, json ? 'json' : process.stdout.isTTY ? 'bars' : 'lines');
        process.stdout.write(json ? jsonText({ workflowId, run: runId, ...result }) : resultText(result));
      });
    });
}

/** Waits for a run and shows how far its loads are: bars that are drawn over, or a line whenever a load changes its state. */
async function follow(
  client: GranaryClient,
  run: RunHandle,
  mode: 'bars' | 'lines' | 'json',
): Promise<RunResult> {
  const over = new AbortController();
  const ended = awaitRun(client, run.result()).finally(() => over.abort());
  if (mode === 'json') return await ended;
  const show = mode === 'bars' ? bars() : lines();
  const watching = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      // Whether there is a worker to answer is awaitRun's to find out.
      const loads = await run.loads().catch(() => undefined);
      if (loads && !over.signal.aborted) show(loads);
      await sleep(500, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  try {
    return await ended;
  } finally {
    await watching;
    show([]);
  }
}

/** Draws a bar a view over those before; an empty list takes them away. */
function bars(): (loads: readonly LoadProgress[]) => void {
  let shown = 0;
  return (loads) => {
    const { rows = 24, columns = 80 } = process.stdout;
    // What is finished needs no bar where the screen is full.
    const open = loads.filter(({ state }) => state !== 'done' && state !== 'current');
    const drawn = (loads.length < rows ? loads : open)
      .slice(0, rows - 1)
      .map((load) => barLine(load, columns));
    const up = shown > 0 ? `\x1b[${shown}A\x1b[J` : '';
    process.stdout.write(`${up}${drawn.map((line) => `${line}\n`).join('')}`);
    shown = drawn.length;
  };
}

/** Writes a line for each view that is in another state than before. */
function lines(): (loads: readonly LoadProgress[]) => void {
  const states = new Map<string, string>();
  return (loads) => {
    for (const load of loads) {
      if (states.get(load.step) === load.state) continue;
      states.set(load.step, load.state);
      if (load.state !== 'waiting') process.stdout.write(`${stateLine(load)}\n`);
    }
  };
}

function resultText({ interval, steps, notes = [] }: RunResult): string {
  const text = [...notes, ...steps.map(loadedText)];
  if (steps.length === 0) text.push(`Nothing is recorded for ${intervalName(interval)}: no view was loaded.`);
  return `${text.join('\n')}\n`;
}
