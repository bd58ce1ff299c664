import type { Command } from 'commander';
import { checkProviders, type ProviderHealth } from '../client/provider-health.js';
import { openProject } from '../providers/bind.js';
import { loadProject } from './load-project.js';
import { status } from './colors.js';
import { withProject, type ProjectFlags } from './options.js';
import { json } from './table.js';

interface CheckFlags extends ProjectFlags {
  readonly json?: true;
}

export function addProvider(program: Command): void {
  const provider = program
    .command('provider')
    .description('The systems behind the names of an environment.')
    .addHelpText('after', '\nExample:\n  granary provider check --env prod');
  withProject(provider.command('check'))
    .description(
      'Checks, from this machine, whether providers can be worked with. Exit status 1 when one cannot.',
    )
    .argument('[name]', 'one provider (default: all)')
    .option('--json', 'a JSON list instead of the table')
    .addHelpText('after', '\nExample:\n  granary provider check online --env prod')
    .action(async (name: string | undefined, flags: CheckFlags) => {
      const open = openProject(await loadProject(flags.project), flags.env);
      try {
        const found = await checkProviders(open, name);
        process.stdout.write(flags.json ? json(found) : describe(found));
        if (found.some(({ healthy }) => !healthy)) process.exitCode = 1;
      } finally {
        await open.providers.close();
      }
    });
}

const describe = (found: readonly ProviderHealth[]): string => {
  const width = Math.max(...found.map(({ name }) => name.length));
  return found
    .map(
      ({ name, healthy, error, ms }) =>
        `${name.padEnd(width)}  ${healthy ? `${status('healthy')} (${ms} ms)` : (error ?? '')}\n`,
    )
    .join('');
};
