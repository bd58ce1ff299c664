import type { Command } from 'commander';
import type { ResourceSummary } from '../client/resource-types.js';
import { show, kindWord, useCatalog, variantOf, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { table } from './table.js';

interface ListFlags extends CatalogFlags {
  readonly status?: string;
  readonly owner?: string;
  readonly tag?: string;
}

export function addList(program: Command): void {
  withCatalogOptions(
    program
      .command('list')
      .description('Lists what is registered, or one kind of it.')
      .argument(
        '[kind]',
        'sources, views, labels, training-sets, entities, providers, pipelines or models (default: all)',
      )
      .option('--status <status>', 'only those: PENDING, RUNNING, READY, FAILED or DELETING')
      .option('--owner <owner>', 'only those of an owner')
      .option('--tag <tag>', 'only those with a tag')
      .addHelpText('after', '\nExample:\n  granary list views --status FAILED'),
  ).action(async (kind: string | undefined, flags: ListFlags) => {
    await useCatalog(flags, async ({ catalog }) => {
      const found = (await catalog.list(kind)).filter(
        ({ status, about }) =>
          (flags.status === undefined || status === flags.status.toUpperCase()) &&
          (flags.owner === undefined || about.owner === flags.owner) &&
          (flags.tag === undefined || (about.tags ?? []).includes(flags.tag)),
      );
      const all =
        kind === undefined &&
        flags.status === undefined &&
        flags.owner === undefined &&
        flags.tag === undefined;
      show(flags, found, (list) => listText(list, all));
    });
  });
}

function listText(found: readonly ResourceSummary[], all: boolean): string {
  if (found.length === 0)
    return all
      ? 'Nothing is registered yet: granary apply registers what the project declares.\n'
      : 'Nothing is registered that fits.\n';
  return table(
    ['KIND', 'NAME', 'VARIANT', 'STATUS', 'OWNER', 'TAGS', 'DESCRIPTION'],
    found.map((one) => [
      kindWord(one.kind),
      one.name,
      variantOf(one),
      one.status ?? '',
      one.about.owner ?? '',
      (one.about.tags ?? []).join(', '),
      one.about.description ?? '',
    ]),
  );
}
