import type { Command } from 'commander';
import type { ResourceSummary } from '../client/resource-types.js';
import { show, kindWord, useCatalog, variantOf, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { table } from './table.js';

export function addSearch(program: Command): void {
  withCatalogOptions(
    program
      .command('search')
      .description(
        'Searches names, variants, tags, owners, properties and descriptions, best first; forgives typing errors.',
      )
      .argument('<words...>', 'all of them must be found')
      .addHelpText('after', '\nExample:\n  granary search fraud ada@example.com'),
  ).action(async (words: string[], flags: CatalogFlags) => {
    const text = words.join(' ');
    await useCatalog(flags, async ({ catalog }) => show(flags, await catalog.search(text), textOf(text)));
  });
}

const textOf =
  (text: string) =>
  (found: readonly (ResourceSummary & { readonly in: readonly string[] })[]): string =>
    found.length === 0
      ? `Nothing was found for "${text}".\n`
      : table(
          ['NAME', 'VARIANT', 'KIND', 'TAGS', 'FOUND IN'],
          found.map((one) => [
            one.name,
            variantOf(one),
            kindWord(one.kind),
            (one.about.tags ?? []).join(', '),
            one.in.join(', '),
          ]),
        );
