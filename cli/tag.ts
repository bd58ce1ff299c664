import type { Command } from 'commander';
import { GranaryError } from '../definitions/errors.js';
import type { About, AboutChange } from '../registry/catalog.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { facts } from './table.js';

interface TagFlags extends CatalogFlags {
  readonly remove?: string[];
  readonly owner?: string;
  readonly description?: string;
  readonly property?: string[];
  readonly removeProperty?: string[];
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addTag(program: Command): void {
  withCatalogOptions(
    program
      .command('tag')
      .description(
        'Adds tags to a resource, or changes its owner, description or properties. No variant changes.',
      )
      .argument('<resource>', 'its name')
      .argument('[tags...]', 'added to those that it has')
      .option('--remove <tag>', 'takes a tag away; may be repeated', collect)
      .option('--owner <owner>', 'the new owner')
      .option('--description <text>', 'the new description')
      .option('--property <key=value>', 'sets a property; may be repeated', collect)
      .option('--remove-property <key>', 'takes a property away; may be repeated', collect)
      .addHelpText(
        'after',
        '\nExample:\n  granary tag user_features pii --owner ml@example.com --property tier=1',
      ),
  ).action(async (resource: string, tags: string[], flags: TagFlags) => {
    const change = changeOf(tags, flags);
    await useCatalog(flags, async ({ catalog }) =>
      show(flags, await catalog.tag(resource, change), aboutText),
    );
  });
}

function changeOf(tags: readonly string[], flags: TagFlags): AboutChange {
  const pairs = (flags.property ?? []).map((pair): readonly [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1)
      throw new GranaryError('InvalidInput', `"${pair}" is no property. Write --property key=value.`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  const change: AboutChange = {
    ...(tags.length === 0 ? {} : { addTags: tags }),
    ...(flags.remove === undefined ? {} : { removeTags: flags.remove }),
    ...(flags.owner === undefined ? {} : { owner: flags.owner }),
    ...(flags.description === undefined ? {} : { description: flags.description }),
    ...(pairs.length === 0 ? {} : { properties: Object.fromEntries(pairs) }),
    ...(flags.removeProperty === undefined ? {} : { removeProperties: flags.removeProperty }),
  };
  if (Object.keys(change).length > 0) return change;
  throw new GranaryError(
    'InvalidInput',
    'Nothing is to be changed. Give a tag: granary tag user_features pii',
  );
}

const aboutText = ({ owner, description, tags = [], properties = {} }: About): string =>
  facts([
    ['OWNER', owner],
    ['DESCRIPTION', description],
    ['TAGS', tags.join(', ')],
    [
      'PROPERTIES',
      Object.entries(properties)
        .map((pair) => pair.join(' = '))
        .join(', '),
    ],
  ]);
