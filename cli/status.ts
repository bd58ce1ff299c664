import type { Command } from 'commander';
import { GranaryClient } from '../client/index.js';
import { applyTable } from './apply-table.js';
import { isOver, succeeded } from './apply.js';
import { loadProject } from './load-project.js';

interface StatusFlags {
  readonly project: string;
  readonly env?: string;
  readonly json?: true;
}

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('Shows how an apply stands, or how it ended: every resource with its status and error.')
    .argument('<run>', 'the name that granary apply printed, such as amazed_volhard')
    .option('-p, --project <file>', 'the file that exports the project', 'granary.ts')
    .option('-e, --env <name>', 'the environment (default: GRANARY_ENV, then dev, then the only one)')
    .option('--json', 'one JSON object instead of the table')
    .addHelpText('after', '\nExample:\n  granary status amazed_volhard')
    .action(async (run: string, flags: StatusFlags) => {
      const client = await GranaryClient.connect({
        project: await loadProject(flags.project),
        ...(flags.env === undefined ? {} : { environment: flags.env }),
      });
      try {
        const state = await client.applyStatus(run);
        process.stdout.write(flags.json ? `${JSON.stringify(state, null, 2)}\n` : applyTable(state));
        if (isOver(state) && !succeeded(state)) process.exitCode = 1;
      } finally {
        await client.close();
      }
    });
}
