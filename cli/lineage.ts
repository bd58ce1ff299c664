import type { Command } from 'commander';
import type { VersionLineage, VersionNode } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import type { LineageNode } from '../registry/catalog-graph.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';

export function addLineage(program: Command): void {
  withCatalogOptions(
    program
      .command('lineage')
      .description(
        'Shows what a resource comes from and what comes from it; of a version down to the files that were read, and up to the models trained on it.',
      )
      .argument('<resource>', 'its name, or one version of it: fraud_training@v_20260131T000312')
      .addHelpText('after', '\nExample:\n  granary lineage fraud_training@v_20260131T000312'),
  ).action(async (resource: string, flags: CatalogFlags) => {
    const at = resource.indexOf('@');
    await useCatalog(flags, async ({ catalog }) => {
      if (at < 0)
        show(flags, await catalog.lineage(resource), ({ id, reads, readBy }) =>
          [`${id}\n`, ...section('comes from', reads, String), ...section('is read by', readBy, String)].join(
            '',
          ),
        );
      else
        show(flags, await catalog.versionLineage(resource.slice(0, at), resource.slice(at + 1)), versionText);
    });
  });
}

const versionText = ({ id, version, madeFrom, usedBy }: VersionLineage): string =>
  [
    `${id} for ${intervalName(version.interval)}, ${version.rows} rows\n`,
    ...section('was made from', madeFrom, describe),
    ...section('is used by', usedBy, describe),
  ].join('');

function describe(id: string, { version, files }: Omit<VersionNode, 'id' | 'next'>): string {
  if (version) return `${id} for ${intervalName(version.interval)}, ${version.rows} rows`;
  return files ? `${id}: ${files.map(({ path, sha256 }) => `${path} (sha256 ${sha256})`).join(', ')}` : id;
}

interface Node {
  readonly id: string;
  readonly next: readonly Node[];
  readonly repeated?: true;
}

function section<N extends LineageNode | VersionNode>(
  title: string,
  nodes: readonly N[],
  text: (id: string, node: N) => string,
): string[] {
  const lines = (list: readonly Node[], depth: number): string[] =>
    list.flatMap((node) => [
      `${'  '.repeat(depth)}${text(node.id, node as N)}${node.repeated ? ' (see above)' : ''}\n`,
      ...lines(node.next, depth + 1),
    ]);
  return nodes.length === 0 ? [`${title}: nothing\n`] : [`${title}:\n`, ...lines(nodes, 1)];
}
