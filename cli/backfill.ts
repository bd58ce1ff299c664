import { InvalidArgumentError, Option, type Command } from 'commander';
import type { BackfillDetail, BackfillRequest, GranaryClient } from '../client/index.js';
import { MOST_AT_ONCE, ORDERS, REPROCESS } from '../definitions/backfill.js';
import { GranaryError } from '../definitions/errors.js';
import { followBackfill } from './backfill-follow.js';
import { detailText, listText, previewText } from './backfill-text.js';
import { useClient, type ClientFlags } from './connect.js';
import { count } from './count.js';
import { sameProject, withJson, withProject, withTaskQueue } from './options.js';
import { json } from './table.js';

interface Flags extends ClientFlags {
  readonly json?: true;
}

interface StartFlags extends Flags, Omit<BackfillRequest, 'pipeline' | 'targets'> {
  readonly dryRun?: true;
  readonly detach?: true;
}

interface StatusFlags extends Flags {
  readonly follow?: true;
}

export function addBackfill(program: Command): void {
  const command = program
    .command('backfill')
    // Its own flags end where a subcommand begins, which has some of the same.
    .enablePositionalOptions()
    .description(
      "Makes the intervals of a pipeline's schedule within a span, by default those that were never made. It goes on without this command, and gives way to scheduled runs. A worker must be running.",
    )
    .argument('[what...]', 'a pipeline, or targets that a pipeline makes (default: the only pipeline)')
    .option(
      '--from <time>',
      "intervals from then on: a local date or ISO-8601 (default: the pipeline's startDate)",
    )
    .option('--to <time>', 'intervals before then (default: now)')
    .addOption(
      new Option('--reprocess <which>', 'what is made; each takes in those before it')
        .choices(REPROCESS)
        .default('missing'),
    )
    .option('--concurrency <n>', 'intervals at a time', atOnce, 4)
    .addOption(new Option('--order <which>', 'which come first').choices(ORDERS).default('oldest'))
    .option('--max-failures <k>', 'stops after so many intervals have failed (default: goes on)', count)
    .option('--dry-run', 'shows the holes, what would be made and how long that may take, and starts nothing')
    .option('--detach', 'starts it and does not wait for it');
  withTaskQueue(withProject(withJson(command, 'one JSON object at the end instead of progress')))
    .addHelpText(
      'after',
      '\nExamples:\n  granary backfill flights_daily --from 2001-01-01 --to 2001-07-01 --dry-run\n  granary backfill flights_daily --from 2001-01-01 --to 2001-07-01 --concurrency 8\n  granary backfill view/airport --reprocess stale --order newest --max-failures 3',
    )
    .action(async (what: string[], flags: StartFlags) => {
      await useClient(flags, async (client, { scope }) => {
        const request = { ...(await client.backfills.named(what)), ...requestOf(flags) };
        if (flags.dryRun) {
          const preview = await client.backfills.plan(request);
          const named = request.targets === undefined ? '' : ` (${request.targets.join(', ')})`;
          const head = `${preview.plan.pipeline}${named} in ${scope.environment}`;
          process.stdout.write(flags.json ? json(preview) : previewText(preview, head));
          return;
        }
        const { name, workflowId } = await client.backfill(request);
        if (!flags.json) process.stderr.write(`granary backfill: started ${name} (${workflowId})\n`);
        if (flags.detach) {
          process.stdout.write(
            flags.json
              ? json({ name, workflowId })
              : `It goes on without this command. Watch it with: granary backfill status ${name} --follow${sameProject(flags)}\n`,
          );
          return;
        }
        await follow(client, name, flags);
      });
    });
  addControls(command);
}

function addControls(command: Command): void {
  const control = (name: string, what: string): Command =>
    withProject(
      withJson(
        command
          .command(name)
          .description(what)
          .argument('[name]', 'its two words (default: the one that is open)'),
      ),
    );
  control(
    'status',
    'Shows how a backfill stands or ended, with the cause of every failure; without a name, all.',
  )
    .option('--follow', 'shows its progress until it ends')
    .addHelpText(
      'after',
      '\nExamples:\n  granary backfill status\n  granary backfill status amazed_volhard --follow',
    )
    .action(async (name: string | undefined, _: unknown, self: Command) => {
      const flags = flagsOf<StatusFlags>(self);
      await useClient(flags, async (client) => {
        if (flags.follow) return await follow(client, name ?? (await theOpenOne(client)), flags);
        if (name === undefined) {
          const states = await client.backfills.list();
          process.stdout.write(flags.json ? json(states) : listText(states));
          return;
        }
        show(await client.backfills.status(name), flags);
      });
    });
  for (const [verb, done, what] of [
    [
      'pause',
      'pauses: what is in flight ends, and no other interval begins',
      'Pauses a backfill: intervals in flight end, and no other begins.',
    ],
    ['resume', 'goes on', 'Goes on with a backfill that was paused.'],
    [
      'cancel',
      'is being cancelled: what was made stays, the rest stays a hole',
      'Cancels a backfill: intervals in flight are cancelled cleanly, what was made stays.',
    ],
  ] as const)
    control(verb, what)
      .addHelpText('after', `\nExample:\n  granary backfill ${verb} amazed_volhard`)
      .action(async (given: string | undefined, _: unknown, self: Command) => {
        const flags = flagsOf<Flags>(self);
        await useClient(flags, async (client) => {
          const name = given ?? (await theOpenOne(client));
          await client.backfills[verb](name);
          process.stdout.write(flags.json ? json({ name, [verb]: true }) : `${name} ${done}.\n`);
        });
      });
}

/** A subcommand's flags; what it shares with `backfill` may also have been given before its name. */
function flagsOf<F extends object>(self: Command): F {
  const before = self.parent;
  const given = Object.entries(before?.opts() ?? {}).filter(
    ([name]) => before?.getOptionValueSource(name) === 'cli' && self.getOptionValueSource(name) !== 'cli',
  );
  return { ...self.opts<F>(), ...Object.fromEntries(given) };
}

async function follow(client: GranaryClient, name: string, flags: Flags): Promise<void> {
  const mode = flags.json ? 'quiet' : process.stdout.isTTY ? 'bar' : 'lines';
  show(await followBackfill(client, name, mode, flags), flags);
}

/** Writes how a backfill stands; the exit status says whether one that has ended made all. */
function show(detail: BackfillDetail, flags: Flags): void {
  process.stdout.write(flags.json ? json(detail) : detailText(detail, sameProject(flags)));
  if (detail.endedAt !== undefined && detail.status !== 'COMPLETED') process.exitCode = 1;
}

/** @throws GranaryError `InvalidInput` when no backfill is open, or several are. */
async function theOpenOne(client: GranaryClient): Promise<string> {
  const open = (await client.backfills.list({ limit: 100 })).filter(({ endedAt }) => endedAt === undefined);
  const [only, other] = open;
  if (only && !other) return only.name;
  throw new GranaryError(
    'InvalidInput',
    only
      ? `Several backfills are open: ${open.map(({ name }) => name).join(', ')}. Name one.`
      : 'No backfill is open. All that there were: granary backfill status',
  );
}

function requestOf({ from, to, reprocess, concurrency, order, maxFailures }: StartFlags): BackfillRequest {
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(reprocess === undefined ? {} : { reprocess }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(order === undefined ? {} : { order }),
    ...(maxFailures === undefined ? {} : { maxFailures }),
  };
}

function atOnce(text: string): number {
  const n = count(text);
  if (n > MOST_AT_ONCE) throw new InvalidArgumentError(`It must be at most ${MOST_AT_ONCE}.`);
  return n;
}
