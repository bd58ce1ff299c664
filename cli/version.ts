import type { Command } from 'commander';
import { readVersions, type Versions } from '../client/component-versions.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { openProject } from '../providers/bind.js';
import { packageVersion } from '../registry/package-version.js';
import type { ClientFlags } from './connect.js';
import { loadProject } from './load-project.js';
import { withJson, withProject, withTaskQueue } from './options.js';
import { facts, json } from './table.js';

export function addVersion(program: Command): void {
  withJson(withTaskQueue(withProject(program.command('version'))))
    .description(
      'Tells the versions of this package, of the workers that poll the task queue and of the registry, and what is to be updated. A server that does not answer is told, and is no failure.',
    )
    .addHelpText('after', '\nExamples:\n  granary version\n  granary version --env prod --json')
    .action(async (flags: ClientFlags & { readonly json?: true }) => {
      const found = await versions(flags);
      process.stdout.write(flags.json ? json(found) : text(found));
    });
}

/** Outside of a project only this package's own version is known. */
async function versions(flags: ClientFlags): Promise<Versions> {
  try {
    const open = openProject(await loadProject(flags.project), flags.env);
    try {
      return await readVersions(open, flags.taskQueue);
    } finally {
      await open.providers.close();
    }
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    const unknown = { error: messageOf(error) };
    return {
      client: packageVersion,
      node: process.versions.node,
      workers: unknown,
      registry: unknown,
      advice: [],
    };
  }
}

function text({ client, node, workers, registry, advice }: Versions): string {
  const polling =
    'error' in workers
      ? [`unknown: ${workers.error}`]
      : workers.polling.length === 0
        ? [`none polls ${workers.taskQueue}`]
        : workers.polling.map(({ identity, version }) => `${version ?? 'unknown'} (${identity})`);
  const tables =
    'error' in registry
      ? `unknown: ${registry.error}`
      : registry.level === undefined
        ? 'not there yet; the first apply or run makes it'
        : `migration ${registry.level} of ${registry.newest}, written by ${registry.version ?? 'a version that did not note itself'}`;
  return facts([
    ['client', `${client} (Node ${node})`],
    ...(polling.length === 1 ? [['worker', polling[0]] as const] : [['workers', polling] as const]),
    ['registry', tables],
    ['to do', advice],
  ]);
}
