import type { Command } from 'commander';
import type { GranaryClient, PipelineInput } from '../client/index.js';
import { requireEnded } from '../definitions/ended-intervals.js';
import { GranaryError } from '../definitions/errors.js';
import { interval } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { targetIdsOf } from '../definitions/target.js';
import { intervalOfDate, intervalOfRange } from '../definitions/ticks.js';
import type { OpenProject } from '../providers/bind.js';
import { useClient, type ClientFlags } from './connect.js';
import { followRun, startedText, withFollow, type FollowFlags } from './follow-run.js';
import { withJson, withProject, withTaskQueue } from './options.js';
import { json } from './table.js';

interface RunFlags extends ClientFlags, Omit<FollowFlags, keyof ClientFlags> {
  readonly date?: string;
  readonly from?: string;
  readonly to?: string;
  readonly targets?: readonly string[];
  readonly rebuild?: true;
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description(
      'Runs a pipeline for one interval: the last complete one unless another is named. What is valid already is not made again. A worker must be running.',
    )
    .argument('<pipeline>', 'its name')
    .option('--date <date>', "the interval that starts on this date, in the schedule's time zone")
    .option('--from <time>', 'with --to: one interval of the schedule by its ends, ISO-8601')
    .option('--to <time>', "the interval's end")
    .option('--targets <names...>', 'only these targets and what they need')
    .option('--rebuild', 'makes again what is valid already');
  withFollow(
    withJson(withTaskQueue(withProject(command)), 'one JSON object: the run, or with --follow how it ended'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  granary run user_features_daily\n  granary run user_features_daily --date 2026-01-31 --follow\n  granary run user_features_daily --date 2026-01-31 --targets view/user_features --rebuild',
    )
    .action(async (pipeline: string, flags: RunFlags) => {
      const input = inputOf(flags);
      await useClient(flags, async (client, open) => {
        await requirePipeline(client, open, pipeline);
        requireInterval(open.project, pipeline, input);
        await requireTargets(client, open, input);
        await client.requireWorker();
        const run = await client.run(pipeline, input);
        if (flags.follow) await followRun(client, run, flags);
        else if (flags.json) process.stdout.write(json({ workflowId: run.workflowId, run: run.runId }));
        else process.stdout.write(startedText(run, flags));
      });
    });
}

function inputOf({ date, from, to, targets, rebuild }: RunFlags): Omit<PipelineInput, 'pipeline'> {
  if ((from === undefined) !== (to === undefined))
    throw new GranaryError(
      'InvalidInput',
      'Give --from and --to together: they are the ends of one interval.',
    );
  if (date !== undefined && from !== undefined)
    throw new GranaryError(
      'InvalidInput',
      'Give --date, or --from and --to, not both: each names the interval.',
    );
  return {
    ...(date === undefined ? {} : { date }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(targets === undefined ? {} : { targets }),
    ...(rebuild === true ? { rebuild } : {}),
  };
}

/** A misspelt name is found before anything starts. Before the first apply the worker's own definitions count. */
async function requirePipeline(
  client: GranaryClient,
  { project, scope }: OpenProject,
  name: string,
): Promise<void> {
  const registered = await client.resources.list('pipelines');
  const names = new Set([...registered.map((one) => one.name), ...project.pipelines.keys()]);
  if (names.has(name)) return;
  throw new GranaryError(
    'UnknownResource',
    `There is no pipeline "${name}" in ${scope.environment}. ${didYouMean(name, names)}`,
  );
}

/**
 * A wrong date is found before anything starts, too, and an interval whose rows are not all there yet: what ends after `now`, milliseconds since 1970.
 * @throws GranaryError `InvalidInterval`, `InvalidInput`.
 */
export function requireInterval(
  { pipelines }: OpenProject['project'],
  name: string,
  { date, from, to }: PipelineInput,
  now = Date.now(),
): void {
  const pipeline = pipelines.get(name);
  const isRange = from !== undefined && to !== undefined;
  if (isRange) interval(from, to);
  // What the registry alone knows is looked at by the run.
  if (!pipeline || (!isRange && date === undefined)) return;
  const wanted = isRange
    ? intervalOfRange(pipeline.schedule, pipeline, from, to)
    : intervalOfDate(pipeline.schedule, pipeline, date ?? '');
  requireEnded(wanted, new Date(now), pipeline);
}

/** As are misspelt targets; one that the project's file does not have may be registered. */
async function requireTargets(
  client: GranaryClient,
  { project }: OpenProject,
  { targets = [] }: PipelineInput,
): Promise<void> {
  for (const target of targets)
    try {
      targetIdsOf(project.resources, [target], 'run');
    } catch (error) {
      if (!(error instanceof GranaryError)) throw error;
      // Which of several is meant, the registry's default variants say.
      if (error.code === 'UnknownResource') await client.resources.get(target);
    }
}
