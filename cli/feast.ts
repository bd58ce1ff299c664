import type { Command } from 'commander';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { exportToFeast } from './feast-export.js';

export function addFeast(program: Command): void {
  const feast = program
    .command('feast')
    .description("For readers that use Feast's SDK.")
    .addHelpText('after', '\nExample:\n  granary feast export feast_repo');
  withCatalogOptions(
    feast
      .command('export')
      .description(
        'Writes feature_store.yaml and features.py of what is registered, for the Feast SDK. Passwords become ${NAME} of its environment.',
      )
      .argument('<dir>', 'the folder; it is made where there is none')
      .option('--online-store <name>', 'whose views Feast reads online, where there are several stores'),
  )
    .addHelpText('after', '\nExample:\n  granary feast export feast_repo --env prod')
    .action(async (dir: string, flags: CatalogFlags & { readonly onlineStore?: string }) => {
      await useCatalog(flags, async (opened) => {
        const files = await exportToFeast(opened, dir, flags.onlineStore);
        show(flags, { files }, () => files.map((path) => `${path}\n`).join(''));
      });
    });
}
