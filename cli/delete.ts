import type { Command } from 'commander';
import type { RemovalOutcome, RemovalPlan } from '../client/index.js';
import { awaitStarted } from './await-run.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { useClient, type ClientFlags } from './connect.js';
import { withTaskQueue } from './options.js';
import { counted } from './words.js';

interface DeleteFlags extends CatalogFlags, ClientFlags {
  readonly dryRun?: true;
  readonly reason?: string;
}

export function addDelete(program: Command): void {
  const command = program
    .command('delete')
    .description(
      'Deletes a resource that nothing depends on: its definition, its versions, its values online. A worker must be running. Look with --dry-run first.',
    )
    .argument('<resource>', 'its name; with its kind or variant where needed: view/user_features.v2')
    .option('--dry-run', 'shows what would go, or what stands against it, and deletes nothing')
    .option('--reason <text>', 'why; kept in the registry');
  withCatalogOptions(withTaskQueue(command))
    .addHelpText('after', '\nExample:\n  granary delete view/user_features --dry-run')
    .action(async (resource: string, flags: DeleteFlags) => {
      if (flags.dryRun) await dryRun(resource, flags);
      else await remove(resource, flags);
    });
}

async function dryRun(resource: string, flags: DeleteFlags): Promise<void> {
  await useCatalog(flags, async ({ catalog }) => {
    const plan = await catalog.removal(resource);
    show(flags, plan, planText);
    if (plan.against.length > 0) process.exitCode = 1;
  });
}

const planText = ({ id, against, removes }: RemovalPlan): string =>
  against.length > 0
    ? `${id} cannot be deleted:\n${against.map((line) => `  ${line}\n`).join('')}`
    : `Deleting ${id} would remove, for good:\n${removes.map((line) => `  ${line}\n`).join('')}Nothing was changed.\n`;

async function remove(resource: string, flags: DeleteFlags): Promise<void> {
  await useClient(flags, async (client) => {
    const run = await client.remove(resource, flags.reason === undefined ? {} : { reason: flags.reason });
    show(flags, await awaitStarted(client, run, { ...flags, command: 'delete' }), outcomeText);
  });
}

const outcomeText = ({ resource, versions, entities }: RemovalOutcome): string =>
  [
    `${resource} is deleted`,
    ...(versions > 0 ? [`, with ${counted(versions, 'version')}`] : []),
    ...(entities === undefined ? [] : [`, and the values of ${entities} entities online`]),
    '.\nWhile a project file still declares it, the next apply or run of that project registers it again.\n',
  ].join('');
