import type { Command } from 'commander';
import { applyTable } from './apply-table.js';
import { isOver, succeeded } from './apply.js';
import { useClient } from './connect.js';
import { withProject, type ProjectFlags } from './options.js';
import { json } from './table.js';

interface StatusFlags extends ProjectFlags {
  readonly json?: true;
}

export function addStatus(program: Command): void {
  withProject(program.command('status'))
    .description('Shows how an apply stands, or how it ended: every resource with its status and error.')
    .argument('<run>', 'the name that granary apply printed, such as amazed_volhard')
    .option('--json', 'one JSON object instead of the table')
    .addHelpText('after', '\nExample:\n  granary status amazed_volhard')
    .action(async (run: string, flags: StatusFlags) => {
      await useClient(flags, async (client) => {
        const state = await client.applyStatus(run);
        process.stdout.write(flags.json ? json(state) : applyTable(state));
        if (isOver(state) && !succeeded(state)) process.exitCode = 1;
      });
    });
}
