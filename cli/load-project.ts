import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tsImport } from 'tsx/esm/api';
import { parseContract, type Contract } from '../definitions/contract-file.js';
import { GranaryError } from '../definitions/errors.js';
import type { Project } from '../definitions/project.js';

/**
 * Loads a project's file as it is, TypeScript or JavaScript: its default export of `defineProject(...)`. A file that ends with `.json` is a
 * contract that `granary compile` wrote.
 * @throws GranaryError `InvalidInput` when the file is absent or exports no project; `InvalidDefinition` for a contract that is not whole.
 */
export async function loadProject(file: string): Promise<Project | Contract> {
  const path = resolve(file);
  try {
    await access(path);
  } catch {
    throw new GranaryError(
      'InvalidInput',
      `There is no project file ${path}. Give its path: --project granary.ts`,
    );
  }
  if (path.endsWith('.json')) return parseContract(await readFile(path, 'utf8'), file);
  const loaded = (await tsImport(pathToFileURL(path).href, import.meta.url).catch((error: unknown) => {
    // What the definitions refuse is said in their words.
    if (error instanceof Error && error.name === 'GranaryError') throw error;
    throw new GranaryError('InvalidInput', `${path} cannot be loaded: ${failureOf(error)}`, { cause: error });
  })) as { readonly default?: unknown };
  // A CommonJS project's default export is wrapped once more.
  const exported = loaded.default;
  const found = isProject(exported)
    ? exported
    : (exported as { readonly default?: unknown } | undefined)?.default;
  if (!isProject(found))
    throw new GranaryError(
      'InvalidInput',
      `${path} has no default export made by defineProject. End the file with: export default defineProject({ ... });`,
    );
  return found;
}

/** What a file threw, with the line of it that did: the project is code of its author's. */
function failureOf(error: unknown): string {
  const [first = '', ...rest] = (
    error instanceof Error ? (error.stack ?? error.message) : String(error)
  ).split('\n');
  const own = rest.filter((line) => !/node_modules|node:internal/.test(line)).slice(0, 5);
  return [first, ...own].join('\n');
}

const isProject = (value: unknown): value is Project =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'project';
