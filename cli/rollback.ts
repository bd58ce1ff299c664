import type { Command } from 'commander';
import type { GranaryClient, FeatureSetVersion, RunResult } from '../client/index.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { workflowFailure } from '../client/workflow-failure.js';
import { awaitStarted } from './await-run.js';
import { useClient, type ClientFlags } from './connect.js';
import { withProject, withTaskQueue } from './options.js';
import { json, table } from './table.js';
import { rollbackNote } from './versions.js';

interface RollbackFlags extends ClientFlags {
  readonly reason?: string;
  readonly list?: true;
  readonly json?: true;
}

export function addRollback(program: Command): void {
  const command = program
    .command('rollback')
    .description(
      "Puts the bytes of an earlier version of a feature set's newest interval back, as a new version, and online. A worker must be running.",
    )
    .argument('<feature set>', 'its name')
    .argument('[version]', 'the version to go back to (default: the newest earlier one with other rows)')
    .option('--reason <text>', 'why; kept in the registry and in metadata.json')
    .option('--json', 'one JSON object instead of text; with --list a JSON list of versions')
    .option('--list', 'shows the versions of the newest interval, and who rolled back what');
  withTaskQueue(withProject(command))
    .addHelpText(
      'after',
      '\nExamples:\n  granary rollback user_features --list\n  granary rollback user_features --reason "the export was cut off"',
    )
    .action(async (featureSet: string, version: string | undefined, flags: RollbackFlags) => {
      await useClient(flags, async (client) => {
        if (flags.list) {
          const versions = await client.versions(featureSet);
          process.stdout.write(flags.json ? json(versions) : describeVersions(featureSet, versions));
        } else {
          const run = await client.rollback(featureSet, {
            ...(version === undefined ? {} : { version }),
            ...(flags.reason === undefined ? {} : { reason: flags.reason }),
          });
          const started = { ...flags, command: 'rollback' };
          const result = await awaitStarted(client, run, started).catch(async (error: unknown) => {
            throw await ownFailure(client, featureSet, error);
          });
          process.stdout.write(
            flags.json
              ? json({ workflowId: run.workflowId, run: run.runId, ...result })
              : describeResult(featureSet, result),
          );
        }
      });
    });
}

/** A workflow's failure in Granary's words, and what is left to do when only the load of a view failed. */
async function ownFailure(client: GranaryClient, featureSet: string, error: unknown): Promise<unknown> {
  const failure = workflowFailure(error);
  if (!failure) return error;
  const { code, cause } = failure;
  const { failures = [] } = (cause.details?.[0] ?? {}) as { failures?: readonly { step: string }[] };
  const loaded = failures.length > 0 && failures.every(({ step }) => step.startsWith('view/'));
  const of = loaded ? (await client.versions(featureSet)).find((v) => v.current)?.rollback?.of : undefined;
  const remedy =
    of === undefined
      ? ''
      : ` The feature set itself is rolled back; to load its views, remove the cause and repeat with the version: granary rollback ${featureSet} ${of}`;
  return new GranaryError(code, `${cause.message}${remedy}`, { cause });
}

function describeResult(name: string, { interval, steps }: RunResult): string {
  const of = intervalName(interval);
  const lines: string[] = [];
  for (const step of steps) {
    if (step.version !== undefined)
      lines.push(
        step.rollback
          ? `${name} for ${of} is ${step.rollback.of} again, committed as ${step.version} (generation ${step.generation ?? ''}) in place of ${step.rollback.from}: ${step.rows} rows in ${step.location ?? ''}`
          : `${name} for ${of} has these rows already, as ${step.version}: ${step.rows} rows in ${step.location ?? ''}`,
      );
    if (!step.loaded) continue;
    const { written, unchanged, older } = step.loaded;
    lines.push(
      `${step.step}: ${step.rows} entities in ${step.location ?? ''}: ${written} written, ${unchanged} unchanged, ${older} older than what is there; ${step.removed ?? 0} removed that only the replaced version had`,
    );
  }
  lines.push(
    'Training sets and transformations that read it are as they were.',
    `While the sources still hold what was wrong, the next run of ${of} builds it again: correct them first.`,
  );
  return `${lines.join('\n')}\n`;
}

function describeVersions(name: string, versions: readonly FeatureSetVersion[]): string {
  const [current] = versions;
  if (!current) return `${name} has no version yet.\n`;
  const rows = versions.map((v) => [
    v.current ? '*' : '',
    String(v.generation),
    v.version,
    v.committedAt,
    String(v.rows),
    v.workflowId ?? '',
    v.run,
    v.rollback ? rollbackNote(v.rollback) : '',
  ]);
  const head = ['', 'generation', 'version', 'committed', 'rows', 'workflow', 'run', 'rolled back to'];
  return `${name}, newest interval ${intervalName(current.interval)} (* is current):\n${table(head, rows)}`;
}
