import type { Command } from 'commander';
import { verifyView, type Verification } from '../client/verify.js';
import { intervalName } from '../definitions/interval.js';
import { differenceText } from '../providers/online/compare-rows.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { sameProject } from './options.js';
import { facts } from './table.js';

export function addVerify(program: Command): void {
  withCatalogOptions(program.command('verify'))
    .description(
      "Compares what a view's online store holds with the newest rows of its source, feature by feature, and fails when something is missing or different. Reads only; takes no worker.",
    )
    .argument('<view>', 'its name')
    .option('--all', 'every entity (default: about 10,000, evenly over the keys)')
    .addHelpText(
      'after',
      '\nExamples:\n  granary verify user_features\n  granary verify user_features.v2 --all --json',
    )
    .action(async (view: string, flags: CatalogFlags & { readonly all?: true }) => {
      await useCatalog(flags, async (opened) => {
        const found = await verifyView(opened, view, { all: flags.all ?? false });
        show(flags, found, (one) => verificationText(one, sameProject(flags)));
        if (found.missing + found.different > 0) process.exitCode = 1;
      });
    });
}

const grouped = (n: number): string => n.toLocaleString('en');

/** What a verification found, for people; `same` are the flags by which another command finds the project. */
export function verificationText(found: Verification, same: string): string {
  const { view, location, entities, compared, equal, newer, missing, different, examples, notLoaded } = found;
  const intervals = notLoaded.map(intervalName);
  const more = intervals.length > 5 ? ` and ${intervals.length - 5} more` : '';
  return facts([
    ['view', view],
    ['online', location],
    ['compared', `${grouped(compared)} of ${grouped(entities)} entities`],
    ['equal', grouped(equal)],
    ['newer online', grouped(newer)],
    ['missing', grouped(missing)],
    ['different', grouped(different)],
    [
      'not loaded',
      intervals.length === 0
        ? undefined
        : `${intervals.slice(0, 5).join(', ')}${more}: granary materialize ${view}${same}`,
    ],
    ['for example', examples.map(differenceText)],
  ]);
}
