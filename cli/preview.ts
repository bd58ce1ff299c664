import type { Command } from 'commander';
import { printed } from '../client/printed.js';
import { previewRows, type Preview } from '../client/preview.js';
import type { Row } from '../definitions/types.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { count } from './count.js';
import { table } from './table.js';

export function addPreview(program: Command): void {
  withCatalogOptions(
    program
      .command('preview')
      .description(
        'Shows the first rows of a source, a feature set or a training set, whole values with their types.',
      )
      .argument('<resource>', 'its name')
      .option('--limit <n>', 'how many rows', count, 10)
      .option('--version <name>', 'of this version (default: the newest interval)')
      .addHelpText('after', '\nExample:\n  granary preview fraud_training --limit 3'),
  ).action(
    async (resource: string, flags: CatalogFlags & { readonly limit: number; readonly version?: string }) => {
      const { limit, version } = flags;
      await useCatalog(flags, async (opened) =>
        show(
          flags,
          await previewRows(opened, resource, { limit, ...(version === undefined ? {} : { version }) }),
          previewText,
        ),
      );
    },
  );
}

const previewText = ({ columns, rows, of }: Preview): string =>
  rows.length === 0 ? `${of} has no rows.\n` : rowsText(columns, rows);

/** Rows as a table, each column's head with its type. */
export const rowsText = (columns: Preview['columns'], rows: readonly Row[]): string =>
  table(
    columns.map(({ name, type }) => `${name} (${type})`),
    rows.map((row) => columns.map(({ name }) => cell(row[name]))),
  );

const cell = (value: unknown): string =>
  value === null || value === undefined ? 'NULL' : typeof value === 'string' ? value : printed(value);
