import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { Option, type Command } from 'commander';
import { exportRows, type ExportFormat } from '../client/export-rows.js';
import { openTrainingRows, type TrainingRows, type VersionChoice } from '../client/training-rows.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { SPLIT_PARTS, type SplitPart } from '../definitions/split.js';
import type { Row } from '../definitions/types.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags, type Opened } from './catalog.js';
import { count } from './count.js';
import { rowsText } from './preview.js';

interface ChoiceFlags extends CatalogFlags {
  readonly date?: string;
  readonly asOf?: string;
  readonly version?: string;
  readonly split?: SplitPart;
}

export function addTrainingSet(program: Command): void {
  const command = program
    .command('training-set')
    .description("Reads a training set's rows: those of all intervals, oldest first, or of one version.")
    .addHelpText(
      'after',
      '\nExamples:\n  granary training-set head fraud_training\n  granary training-set export fraud_training train.parquet',
    );
  withChoice(
    command
      .command('head')
      .description('Shows the first rows of all intervals or of one version, whole values with their types.')
      .argument('<training set>', 'its name')
      .addOption(new Option('-n, --rows <n>', 'how many').argParser(count).default(10)),
    '\nExamples:\n  granary training-set head fraud_training\n  granary training-set head fraud_training -n 3 --date 2026-01-31 --json',
  ).action(async (name: string, flags: ChoiceFlags & { readonly rows: number }) => {
    await useCatalog(flags, async (opened) => {
      const found = await choose(opened, name, flags);
      const rows: Row[] = [];
      for await (const row of found.rows({ limit: flags.rows })) rows.push(row);
      const columns = Object.entries(found.schema).map(([column, type]) => ({ name: column, type }));
      show(flags, { of: nameOf(found), columns, rows }, () => headText(found, columns, rows));
    });
  });
  withChoice(
    command
      .command('export')
      .description(
        'Writes the rows of all intervals, or of one version, to a file: Parquet, CSV, or an Arrow stream. A file that is there is replaced once the new one is whole.',
      )
      .argument('<training set>', 'its name')
      .argument('<file>', 'the file to write')
      .addOption(
        new Option('--format <format>', "parquet, csv or arrow (default: by the file's ending)").choices([
          ...['parquet', 'csv', 'arrow'],
        ]),
      ),
    '\nExamples:\n  granary training-set export fraud_training train.parquet --split train\n  granary training-set export fraud_training fraud.csv --version v_20260131T000312',
  ).action(async (name: string, file: string, flags: ChoiceFlags & { readonly format?: ExportFormat }) => {
    const format = flags.format ?? formatOf(file);
    await useCatalog(flags, async (opened) => {
      const found = await choose(opened, name, flags);
      await exportRows(found, file, format);
      const { size: bytes } = await stat(file);
      show(
        flags,
        { of: nameOf(found), file, format, bytes },
        ({ of }) => `Wrote ${of} to ${file} (${format}, ${bytes} bytes).\n`,
      );
    });
  });
}

const withChoice = (command: Command, help: string): Command =>
  withCatalogOptions(
    command
      .option(
        '--date <date>',
        "the version of the interval that starts on this date, in the schedule's time zone",
      )
      .option('--as-of <instant>', 'what was built as of this instant')
      .option('--version <name>', 'this version; "granary versions" lists them')
      .addOption(new Option('--split <part>', 'only this part of a set that is split').choices(SPLIT_PARTS)),
  ).addHelpText('after', help);

async function choose(
  { open, registry }: Opened,
  name: string,
  { date, version, asOf, split }: ChoiceFlags,
): Promise<TrainingRows<Row>> {
  if ([date, version, asOf].filter((flag) => flag !== undefined).length > 1)
    throw new GranaryError(
      'InvalidInput',
      'Give one of --date, --as-of and --version: each chooses a version.',
    );
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const choice: VersionChoice = {
    ...(date === undefined ? {} : { date }),
    ...(version === undefined ? {} : { version }),
    ...(asOf === undefined ? {} : { asOf }),
    ...(split === undefined ? {} : { split }),
  };
  return await openTrainingRows<Row>(open, registry, name.replace(/^training-?sets?\//i, ''), choice);
}

/** `fraud_training.v1@v_20260131T000312, test`; of several versions `fraud_training.v1, 31 versions`. */
function nameOf({ resource, datasets, split }: TrainingRows<Row>): string {
  const [only, another] = datasets;
  const which = another === undefined ? `@${only?.version ?? ''}` : `, ${datasets.length} versions`;
  return `${resource.name}.${resource.variant}${which}${split === undefined ? '' : `, ${split}`}`;
}

function headText(
  found: TrainingRows<Row>,
  columns: Parameters<typeof rowsText>[0],
  rows: readonly Row[],
): string {
  const { datasets, split } = found;
  const ends = [...new Set([datasets.at(0), datasets.at(-1)])].flatMap((dataset) =>
    dataset ? [intervalName(dataset.interval)] : [],
  );
  const of = `${nameOf(found)}, ${ends.join(' to ')}`;
  if (rows.length === 0) return `${of} has no rows.\n`;
  const all = split === undefined ? ` of ${datasets.reduce((sum, dataset) => sum + dataset.rows, 0)}` : '';
  return `${rowsText(columns, rows)}\n${rows.length}${all} rows of ${of}\n`;
}

const FORMATS: Readonly<Record<string, ExportFormat>> = {
  ...{ '.parquet': 'parquet', '.pq': 'parquet', '.csv': 'csv' },
  ...{ '.arrow': 'arrow', '.arrows': 'arrow' },
};

function formatOf(file: string): ExportFormat {
  const format = FORMATS[extname(file).toLowerCase()];
  if (format !== undefined) return format;
  throw new GranaryError(
    'InvalidInput',
    `The name "${file}" does not say the format. End it in .parquet, .csv or .arrow, or give --format.`,
  );
}
