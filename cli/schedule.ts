import type { Command } from 'commander';
import type { GranaryClient } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import type { Scope } from '../definitions/project.js';
import { useClient, type ClientFlags } from './connect.js';
import { sameProject, withJson, withProject, withTaskQueue } from './options.js';
import { changesText, schedulesText, scheduleText } from './schedule-text.js';
import { json } from './table.js';

interface Flags extends ClientFlags {
  readonly json?: true;
}

interface ApplyFlags extends Flags {
  readonly dryRun?: true;
  readonly prune?: true;
}

interface ReasonFlags extends Flags {
  readonly reason?: string;
}

/** `granary schedule`: Temporal's schedules of the project's pipelines. */
export function addSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .description("Temporal's schedules of the project's pipelines. None is made or changed but by apply.")
    .addHelpText(
      'after',
      '\nExamples:\n  granary schedule apply --dry-run\n  granary schedule list\n  granary schedule pause user_features_daily --reason "the source is being moved"',
    );
  addApply(schedule);
  sub(schedule, 'list', 'Shows every pipeline with its schedule, and schedules that nothing declares.', [
    'granary schedule list --env prod',
  ]).action(async (flags: Flags) => {
    await told(flags, async (client) => {
      const found = await client.schedules.list();
      return { value: found, text: schedulesText(found, sameProject(flags)) };
    });
  });
  sub(
    schedule,
    'describe <pipeline>',
    'Shows a schedule: its policies, its next and recent runs, whether it is paused and why, and what was skipped and missed.',
    ['granary schedule describe user_features_daily'],
  ).action(async (pipeline: string, flags: Flags) => {
    await told(flags, async (client) => {
      const detail = await client.schedules.describe(pipeline);
      return { value: detail, text: scheduleText(detail, sameProject(flags)) };
    });
  });
  sub(
    schedule,
    'pause <pipeline>',
    'Keeps a schedule from starting runs. It stays so, also over an apply, until it is resumed. What was due meanwhile is made only within the catchup window of the pipeline, if it has one.',
    ['granary schedule pause user_features_daily --reason "the source is being moved"'],
  )
    .option('--reason <text>', 'why; shown with the schedule')
    .action(async (pipeline: string, { reason, ...flags }: ReasonFlags) => {
      await told(flags, async (client) => {
        await client.schedules.pause(pipeline, reason === undefined ? {} : { reason });
        return { value: { pipeline, state: 'paused' }, text: `${pipeline} is paused.\n` };
      });
    });
  sub(schedule, 'resume <pipeline>', 'Lets a paused schedule start runs again, from its next tick on.', [
    'granary schedule resume user_features_daily',
  ])
    .option('--reason <text>', 'why; shown with the schedule')
    .action(async (pipeline: string, { reason, ...flags }: ReasonFlags) => {
      await told(flags, async (client) => {
        await client.schedules.resume(pipeline, reason === undefined ? {} : { reason });
        return { value: { pipeline, state: 'active' }, text: `${pipeline} starts runs again.\n` };
      });
    });
  addTrigger(schedule);
  sub(
    schedule,
    'delete <pipeline>',
    'Deletes the schedule of a pipeline, and the one that raises its deadlines. Runs that are open go on; the next apply creates them again if the pipeline is declared.',
    ['granary schedule delete user_features_daily'],
  ).action(async (pipeline: string, flags: Flags) => {
    await told(flags, async (client) => {
      await client.schedules.delete(pipeline);
      return { value: { pipeline, state: 'deleted' }, text: `The schedule of ${pipeline} is deleted.\n` };
    });
  });
}

function addApply(schedule: Command): void {
  const command = sub(
    schedule,
    'apply [pipelines...]',
    'Creates, updates or leaves alone the schedules of the pipelines that the project declares (default: all), and shows what changes. A pause stays.',
    [
      'granary schedule apply --dry-run',
      'granary schedule apply user_features_daily --env prod',
      'granary schedule apply --prune',
    ],
  )
    .option('--dry-run', 'shows what would be done and does nothing')
    .option('--prune', 'deletes the schedules of this project and environment that no pipeline declares');
  withTaskQueue(command).action(async (pipelines: string[], flags: ApplyFlags) => {
    await told(flags, async (client, { project, environment }) => {
      const { dryRun = false, prune = false } = flags;
      const changes = await client.schedules.apply({ pipelines, dryRun, prune });
      return { value: changes, text: changesText(changes, `${project} in ${environment}`, dryRun) };
    });
  });
}

function addTrigger(schedule: Command): void {
  sub(
    schedule,
    'trigger <pipeline>',
    'Has a schedule start its run for one interval now, also while it is paused: the last complete interval, or that of a date. What is valid is not made again.',
    [
      'granary schedule trigger user_features_daily',
      'granary schedule trigger user_features_daily --date 2026-01-31',
    ],
  )
    .option('--date <date>', "the interval that starts on this date, local to the schedule's time zone")
    .action(async (pipeline: string, { date, ...flags }: Flags & { readonly date?: string }) => {
      await told(flags, async (client) => {
        const run = await client.schedules.trigger(pipeline, date === undefined ? {} : { date });
        const { workflowId, runId, interval, outcome } = run;
        const verb = outcome === 'joined' ? 'is open already' : 'has started';
        return { value: run, text: `${workflowId} ${verb} for ${intervalName(interval)} (run ${runId}).\n` };
      });
    });
}

function sub(parent: Command, usage: string, description: string, examples: readonly string[]): Command {
  return withJson(withProject(parent.command(usage)), 'one JSON value instead of text')
    .description(description)
    .addHelpText(
      'after',
      `\n${examples.length > 1 ? 'Examples' : 'Example'}:\n${examples.map((example) => `  ${example}`).join('\n')}`,
    );
}

async function told(
  flags: Flags,
  work: (client: GranaryClient, scope: Scope) => Promise<{ readonly value: unknown; readonly text: string }>,
): Promise<void> {
  await useClient(flags, async (client, { scope }) => {
    const { value, text } = await work(client, scope);
    process.stdout.write(flags.json ? json(value) : text);
  });
}
