import type { Command } from 'commander';
import type { ResourceSummary } from '../client/resource-types.js';
import { ResourceCatalog } from '../client/resources.js';
import { openProject, type OpenProject } from '../providers/bind.js';
import { registryError } from '../registry/database.js';
import { openRegistry, type Registry } from '../registry/registry.js';
import { loadProject } from './load-project.js';
import { withProject, type ProjectFlags } from './options.js';
import { json } from './table.js';

/** The options of every command over the catalogue. */
export interface CatalogFlags extends ProjectFlags {
  readonly json?: true;
}

export interface Opened {
  readonly catalog: ResourceCatalog;
  readonly open: OpenProject;
  readonly registry: Registry;
}

/** Adds the options that every command over the catalogue has. */
export function withCatalogOptions(command: Command): Command {
  return withProject(command.option('--json', 'as JSON'));
}

/** Opens the registry of the project and environment for as long as `work` takes. Temporal is not needed. */
export async function useCatalog<T>(flags: CatalogFlags, work: (opened: Opened) => Promise<T>): Promise<T> {
  const open = openProject(await loadProject(flags.project), flags.env);
  const registry = openRegistry(open.registry);
  try {
    return await work({ catalog: new ResourceCatalog(open, registry), open, registry });
  } catch (error) {
    throw registryError(error);
  } finally {
    await Promise.all([registry.close(), open.providers.close()]);
  }
}

/** Writes a result to stdout, as JSON where it was asked for. */
export function show<T>({ json: asJson }: CatalogFlags, result: T, text: (result: T) => string): void {
  process.stdout.write(asJson ? json(result) : text(result));
}

const WORDS: Readonly<Record<string, string>> = { trainingSet: 'training set', view: 'feature view' };
export const kindWord = (kind: string): string => WORDS[kind] ?? kind;

/** `v1 (default)`. */
export const variantOf = (one: Pick<ResourceSummary, 'variant' | 'default'>): string =>
  one.default ? `${one.variant} (default)` : one.variant;
