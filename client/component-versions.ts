import { messageOf } from '../definitions/errors.js';
import type { OpenProject } from '../providers/bind.js';
import { registryError } from '../registry/database.js';
import { migrationState } from '../registry/migration-state.js';
import { MIGRATIONS } from '../registry/migrations.js';
import { packageVersion, versionOfWorker } from '../registry/package-version.js';
import { Workflows } from './workflows.js';

/** Who works for a project and environment, in which versions. */
export interface Versions {
  /** This package. */
  readonly client: string;
  readonly node: string;
  readonly workers: { readonly error: string } | Workers;
  readonly registry: { readonly error: string } | Tables;
  /** What is to be updated, and how; empty where all fits. */
  readonly advice: readonly string[];
}

interface Workers {
  readonly taskQueue: string;
  /** Those of the last five minutes. */
  readonly polling: readonly {
    readonly identity: string;
    /** Undefined: a worker with a name of its own, or of before. */
    readonly version: string | undefined;
  }[];
}

interface Tables {
  /** The registry's newest migration; undefined: there is none. */
  readonly level: number | undefined;
  /** This package's newest migration. */
  readonly newest: number;
  /** The version that brought the registry there. */
  readonly version: string | undefined;
}

/** Asks Temporal for the workers and the registry for its level; changes nothing. What does not answer is told in its place. */
export async function readVersions(open: OpenProject, taskQueue?: string): Promise<Versions> {
  const [workers, registry] = await Promise.all([
    workersOf(open, taskQueue).catch((error: unknown) => ({ error: messageOf(error) })),
    tablesOf(open).catch((error: unknown) => ({ error: messageOf(registryError(error)) })),
  ]);
  const node = process.versions.node;
  return {
    client: packageVersion,
    node,
    workers,
    registry,
    advice: adviceFor(packageVersion, workers, registry),
  };
}

async function workersOf(open: OpenProject, asked: string | undefined): Promise<Workers> {
  const workflows = await Workflows.connect(open.scope, asked);
  try {
    const polling = (await workflows.pollers()).map(({ identity }) => ({
      identity,
      version: versionOfWorker(identity),
    }));
    return { taskQueue: workflows.taskQueue, polling };
  } finally {
    await workflows.close();
  }
}

async function tablesOf(open: OpenProject): Promise<Tables> {
  const { applied, version } = await migrationState(open.registry);
  return { level: applied.at(-1), newest: Math.max(...MIGRATIONS.map(({ id }) => id)), version };
}

/** What is to be updated so that all are of one version. Of two the older one is to follow. */
export function adviceFor(
  client: string,
  workers: Versions['workers'],
  registry: Versions['registry'],
): string[] {
  const advice: string[] = [];
  const polling = 'error' in workers ? [] : workers.polling;
  for (const version of new Set(polling.map((worker) => worker.version))) {
    if (version === undefined) continue;
    if (isOlder(version, client))
      advice.push(
        `Update the worker of ${version} to ${client}: npm install granary@${client} in its image, and start it anew.`,
      );
    if (isOlder(client, version))
      advice.push(`Update this package to ${version}, which a worker has: npm install granary@${version}`);
  }
  if ('error' in registry || registry.level === undefined) return advice;
  const { level, newest, version } = registry;
  if (level > newest)
    advice.push(
      `Update this package: the registry was migrated by ${version === undefined ? 'a newer version' : version} (migration ${level}, this package knows ${newest}).`,
    );
  if (level < newest)
    advice.push(
      `The registry is at migration ${level} of ${newest}: the next command or worker of ${client} that uses it brings it there.`,
    );
  return advice;
}

/** Compares `1.2.3` with `1.10.0`; what comes after the numbers (`-rc.1`) is older than without. */
function isOlder(a: string, b: string): boolean {
  const parts = (text: string): number[] => (text.split('-', 1)[0] ?? '').split('.').map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (const [i, number] of left.entries()) {
    const other = right[i] ?? 0;
    if (number !== other) return number < other;
  }
  return a.includes('-') && !b.includes('-');
}
