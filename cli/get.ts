import type { Command } from 'commander';
import type { ResourceDetail } from '../client/resource-types.js';
import { show, kindWord, useCatalog, variantOf, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { facts } from './table.js';

export function addGet(program: Command): void {
  withCatalogOptions(
    program
      .command('get')
      .description('Shows a resource: status, owner, tags, its definition, what it reads and what reads it.')
      .argument('<resource>', 'its name; with its kind or variant where needed: view/user_features.v2')
      .addHelpText('after', '\nExample:\n  granary get view/user_features'),
  ).action(async (resource: string, flags: CatalogFlags) => {
    await useCatalog(flags, async ({ catalog }) => show(flags, await catalog.get(resource), detailText));
  });
}

/** The facts that `get` and `describe` have in common. */
export function detailFacts(found: ResourceDetail): Parameters<typeof facts>[0] {
  const { owner, description, tags = [], properties = {} } = found.about;
  const others = found.variants.filter((variant) => variant !== found.variant);
  return [
    ['NAME', found.name],
    ['VARIANT', variantOf(found)],
    ['OTHER VARIANTS', others.join(', ')],
    ['KIND', typeWord(found)],
    ['STATUS', found.status],
    ['ERROR', found.error],
    ['OWNER', owner],
    ['DESCRIPTION', description],
    ['TAGS', tags.join(', ')],
    [
      'PROPERTIES',
      Object.entries(properties)
        .map((pair) => pair.join(' = '))
        .join(', '),
    ],
    ['SINCE', found.since],
    ['FINGERPRINT', found.fingerprint],
    ['DEFINITION', definitionLines(found.definition)],
    ['READS', found.reads],
    ['READ BY', found.readBy],
  ];
}

const detailText = (found: ResourceDetail): string => facts(detailFacts(found));

const SOURCE_TYPES: Readonly<Record<string, string>> = {
  ...{ file: 'source (files)', table: 'source (table)' },
  ...{ featureSet: 'source (feature set)', transformation: 'source (transformation)' },
};

function typeWord({ kind, definition }: ResourceDetail): string {
  const type = 'type' in definition ? definition.type : '';
  return kind === 'source' ? (SOURCE_TYPES[type] ?? kind) : kindWord(kind);
}

/** One line a field; SQL as it was written. */
function definitionLines(definition: ResourceDetail['definition']): string[] {
  return Object.entries(definition).flatMap(([field, value]) => {
    const sql = (value as { readonly sql?: unknown } | null)?.sql;
    if (typeof sql === 'string') return [`${field}: SQL`, ...sql.split('\n').map((line) => `  ${line}`)];
    if (Array.isArray(value) && value.length === 0) return [];
    if (typeof value === 'object' && Object.keys(value as object).length === 0) return [];
    return [`${field}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
  });
}
