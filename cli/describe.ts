import type { Command } from 'commander';
import type { ResourceDescription } from '../client/resource-types.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { detailFacts } from './get.js';
import { runText } from './history.js';
import { profileFacts } from './profile-table.js';
import { facts } from './table.js';
import { versionsText } from './versions.js';

export function addDescribe(program: Command): void {
  withCatalogOptions(
    program
      .command('describe')
      .description(
        'Shows all that is known of a resource: what get shows, its schema, where it lies, the profile of its newest version, versions, runs.',
      )
      .argument('<resource>', 'its name')
      .addHelpText('after', '\nExample:\n  granary describe fraud_training'),
  ).action(async (resource: string, flags: CatalogFlags) => {
    await useCatalog(flags, async ({ catalog }) => show(flags, await catalog.describe(resource), text));
  });
}

/** A line of a table where nobody says how wide the terminal is. */
const WIDTH = 160;

const text = (found: ResourceDescription): string =>
  facts([
    ...detailFacts(found),
    ['SCHEMA', Object.entries(found.schema).map(([name, type]) => `${name}: ${type}`)],
    ['LOCATION', found.locations],
    ...(found.profile
      ? profileFacts(found.profile, { label: labelOf(found), width: process.stdout.columns || WIDTH })
      : []),
    [
      'NEWEST VERSIONS (* is current)',
      linesOf(found.versions.length > 0 ? versionsText(found.versions) : ''),
    ],
    ['LAST RUNS', found.runs.map(runText)],
  ]);

/** The column of a training set's label: its last. */
const labelOf = ({ kind, profile }: ResourceDescription): string | undefined =>
  kind === 'trainingSet' ? profile?.profile.columns.at(-1)?.name : undefined;

const linesOf = (block: string): string[] => block.split('\n').filter((line) => line !== '');
