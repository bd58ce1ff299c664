import { Option, type Command } from 'commander';
import type { RunFilter } from '../client/index.js';
import { useClient, type ClientFlags } from './connect.js';
import { count } from './count.js';
import { followRun, startedText, withFollow, type FollowFlags } from './follow-run.js';
import { sameProject, withJson, withProject, withTaskQueue } from './options.js';
import { logsText, runsText, runText } from './runs-text.js';
import { json } from './table.js';

interface RunsFlags extends ClientFlags {
  readonly json?: true;
}

const STATUSES = ['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'DEADLINE_EXCEEDED'] as const;
const RUN = 'its run id or the beginning of it, its workflow id, or "last"';

export function addRuns(program: Command): void {
  const runs = program
    .command('runs')
    .description('What has run and what runs now: list, show, logs, retry, cancel.')
    .addHelpText(
      'after',
      `\nA run is named by ${RUN}.\n\nExamples:\n  granary runs list --status FAILED\n  granary runs show last\n  granary runs logs last`,
    );
  addList(runs);
  addShow(runs);
  addLogs(runs);
  addRetry(runs);
  addCancel(runs);
}

function addList(runs: Command): void {
  withJson(withProject(runs.command('list')), 'a JSON list of runs')
    .description('Lists runs, the newest first.')
    .option('--pipeline <name>', 'only those of a pipeline')
    .addOption(new Option('--status <status>', 'only those').choices(STATUSES))
    .option('--limit <n>', 'how many at most', count, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  granary runs list\n  granary runs list --pipeline user_features_daily --status FAILED --limit 5',
    )
    .action(async (flags: RunsFlags & RunFilter) => {
      await useClient(flags, async (client) => {
        const { limit, pipeline, status: only } = flags;
        const found = await client.runs.list({
          limit,
          ...(pipeline === undefined ? {} : { pipeline }),
          ...(only === undefined ? {} : { status: only }),
        });
        process.stdout.write(
          flags.json ? json(found) : runsText(found, pipeline === undefined && only === undefined),
        );
      });
    });
}

function addShow(runs: Command): void {
  withJson(withProject(runs.command('show')))
    .description(
      'Shows a run: its steps with rows, time, place and error, what they read, where Temporal has it.',
    )
    .argument('<run>', RUN)
    .addHelpText('after', '\nExamples:\n  granary runs show last\n  granary runs show 019a3f --json')
    .action(async (name: string, flags: RunsFlags) => {
      await useClient(flags, async (client) => {
        const found = await client.runs.get(name);
        // The plan says to the worker what the steps say to people.
        const { plan: _, ...told } = found;
        process.stdout.write(flags.json ? json(told) : runText(found, sameProject(flags)));
      });
    });
}

function addLogs(runs: Command): void {
  withJson(withProject(runs.command('logs')), 'a JSON list of attempts')
    .description(
      'Shows what the steps of a run sent to DuckDB and Postgres, what these said, and how each attempt ended. Kept for 90 days.',
    )
    .argument('<run>', RUN)
    .option('--step <step>', 'only this step: source/user_features, or a part of its name')
    .addHelpText(
      'after',
      '\nExamples:\n  granary runs logs last\n  granary runs logs 019a3f --step view/user_features',
    )
    .action(async (name: string, flags: RunsFlags & { readonly step?: string }) => {
      await useClient(flags, async (client) => {
        const { run, logs } = await client.runs.logs(
          name,
          flags.step === undefined ? {} : { step: flags.step },
        );
        if (flags.json) process.stdout.write(json(logs));
        else if (logs.length > 0) process.stdout.write(logsText(logs));
        else
          process.stdout.write(
            `Nothing is kept of ${run.run} (${run.workflowId}, ${run.status}): no step sent anything to an engine or failed, or it is too long ago.\n`,
          );
      });
    });
}

function addRetry(runs: Command): void {
  const command = runs
    .command('retry')
    .description(
      'Starts what a run was asked for once more, for the same interval; what it had made well is kept. A worker must be running.',
    )
    .argument('<run>', RUN);
  withFollow(withJson(withTaskQueue(withProject(command))))
    .addHelpText('after', '\nExamples:\n  granary runs retry last --follow\n  granary runs retry 019a3f')
    .action(async (name: string, flags: RunsFlags & FollowFlags) => {
      await useClient(flags, async (client) => {
        const run = await client.runs.retry(name);
        if (flags.follow) await followRun(client, run, flags);
        else if (flags.json) process.stdout.write(json({ workflowId: run.workflowId, run: run.runId }));
        else process.stdout.write(startedText(run, flags));
      });
    });
}

function addCancel(runs: Command): void {
  withJson(withProject(runs.command('cancel')))
    .description(
      'Asks a run to stop. It ends its queries, cleans up and is CANCELLED; what it had made well stays. Intervals of a backfill are cancelled with it: granary backfill cancel.',
    )
    .argument('<run>', `${RUN}; also one that no worker has begun, by its workflow id`)
    .addHelpText('after', '\nExamples:\n  granary runs cancel last\n  granary runs cancel 019a3f')
    .action(async (name: string, flags: RunsFlags) => {
      await useClient(flags, async (client) => {
        const found = await client.runs.cancel(name);
        const also = found.parts > 1 ? `, with all ${found.parts} intervals that it makes` : '';
        process.stdout.write(
          flags.json
            ? json(found)
            : `${found.workflowId} (run ${found.run}) was asked to stop${also}. See how it ends: granary runs show ${found.run}${sameProject(flags)}\n`,
        );
      });
    });
}
