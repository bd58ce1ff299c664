import type { Command } from 'commander';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';

export function addModel(program: Command): void {
  const model = program
    .command('model')
    .description('Says what a model was trained on.')
    .addHelpText('after', '\nExample:\n  granary model link churn.v3 fraud_training@v_20260131T000312');
  withCatalogOptions(
    model
      .command('link')
      .description(
        'Pins the version of a training set that a model was trained on; it cannot be deleted then.',
      )
      .argument('<model>', "the model's name, with its version where it has one: churn.v3")
      .argument('<training set version>', 'fraud_training@v_20260131T000312')
      .addHelpText('after', '\nExample:\n  granary model link churn.v3 fraud_training@v_20260131T000312'),
  ).action(async (name: string, version: string, flags: CatalogFlags) => {
    await useCatalog(flags, async ({ catalog }) =>
      show(
        flags,
        await catalog.linkModel(name, version),
        (link) => `${link.model} was trained on ${link.trainingSet}@${link.version} (linked by ${link.by})\n`,
      ),
    );
  });
}
