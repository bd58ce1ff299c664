import type { Command } from 'commander';
import type { DatasetVersion } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { count } from './count.js';
import { table } from './table.js';

export function addVersions(program: Command): void {
  withCatalogOptions(
    program
      .command('versions')
      .description(
        "Lists a feature set's, a transformation's or a training set's versions, the newest interval first.",
      )
      .argument('<resource>', 'its name')
      .option('--limit <n>', 'how many at most', count, 50)
      .addHelpText('after', '\nExample:\n  granary versions fraud_training'),
  ).action(async (resource: string, flags: CatalogFlags & { readonly limit: number }) => {
    await useCatalog(flags, async ({ catalog }) =>
      show(flags, await catalog.versions(resource, { limit: flags.limit }), (found) =>
        found.length === 0 ? `${resource} has no version yet.\n` : versionsText(found),
      ),
    );
  });
}

/** Versions as a table; what readers see has a `*`. */
export function versionsText(versions: readonly DatasetVersion[]): string {
  return table(
    ['', 'interval', 'generation', 'version', 'committed', 'rows', 'workflow', 'run', 'notes'],
    versions.map((v) => [
      v.current ? '*' : '',
      intervalName(v.interval),
      String(v.generation),
      v.version,
      v.committedAt,
      String(v.rows),
      v.workflowId ?? '',
      v.run,
      [
        ...(v.rollback ? [rollbackNote(v.rollback)] : []),
        ...v.models.map((model) => `trained ${model}`),
        ...(v.stale ? [`stale: ${v.stale.join(', ')}`] : []),
      ].join('; '),
    ]),
  );
}

/** Whose bytes a rolled back version has, and who did it. */
export const rollbackNote = ({ of, from, by, reason }: NonNullable<DatasetVersion['rollback']>): string =>
  `${of} in place of ${from}, by ${by}${reason === undefined ? '' : `: ${reason}`}`;
