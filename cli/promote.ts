import type { Command } from 'commander';
import type { RunResult } from '../client/index.js';
import { GranaryError } from '../definitions/errors.js';
import { awaitStarted } from './await-run.js';
import { useClient, type ClientFlags } from './connect.js';
import { withProject, withTaskQueue } from './options.js';
import { json } from './table.js';

interface PromoteFlags extends ClientFlags {
  readonly previous?: true;
  readonly reason?: string;
  readonly json?: true;
}

export function addPromote(program: Command): void {
  const command = program
    .command('promote')
    .description(
      'Makes a variant the default of its name: online first, then in files and in names. Until then readers see nothing of it; meanwhile each entity is wholly old or wholly new. A worker must be running.',
    )
    .argument('<name>', 'user_features, or view/user_features where two kinds share the name')
    .argument('[variant]', 'the variant that is to become the default')
    .option('--previous', 'back to the variant that was the default before the last promotion')
    .option('--reason <text>', 'why; kept in the registry')
    .option('--json', 'one JSON object instead of text');
  withTaskQueue(withProject(command))
    .addHelpText(
      'after',
      '\nExamples:\n  granary promote view/user_features v2\n  granary promote view/user_features --previous --reason "v2 counts twice"',
    )
    .action(async (name: string, variant: string | undefined, flags: PromoteFlags) => {
      if ((variant === undefined) !== (flags.previous === true))
        throw new GranaryError(
          'InvalidInput',
          `Give either a variant or --previous: granary promote ${name} v2, or granary promote ${name} --previous.`,
        );
      await useClient(flags, async (client) => {
        const reason = flags.reason === undefined ? {} : { reason: flags.reason };
        const run = await client.promote(name, {
          ...(variant === undefined ? { previous: true } : { variant }),
          ...reason,
        });
        const result = await awaitStarted(client, run, { ...flags, command: 'promote' });
        process.stdout.write(
          flags.json ? json({ workflowId: run.workflowId, run: run.runId, ...result }) : describe(result),
        );
      });
    });
}

function describe({ steps }: RunResult): string {
  const [promoted, before] = steps;
  if (!promoted) return '';
  const lines = [`${promoted.step} is the default now.`];
  if (promoted.loaded)
    lines.push(
      `Online: ${promoted.rows} entities in ${promoted.location ?? ''}; what only the other variant had is gone.`,
    );
  else if (promoted.version !== undefined)
    lines.push(
      `Its newest version is ${promoted.version}: ${promoted.rows} rows in ${promoted.location ?? ''}`,
    );
  if (before?.location !== undefined)
    lines.push(`${before.step}, the default before, is loaded under its new name: ${before.rows} entities.`);
  return `${lines.join('\n')}\n`;
}
