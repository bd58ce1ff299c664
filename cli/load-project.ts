import { access, readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { tsImport } from 'tsx/esm/api';
import { parseContract, type Contract } from '../definitions/contract-file.js';
import { ERROR_CODES, GranaryError, messageOf } from '../definitions/errors.js';
import type { Project } from '../definitions/project.js';

/**
 * Loads a project's file as it is, TypeScript or JavaScript: its default export of `defineProject(...)`. A file that ends with `.json` is a
 * contract that `granary compile` wrote.
 * `onImport` hears of every file of the project's own that is read on the way.
 * @throws GranaryError `InvalidInput` when the file is absent, cannot be run, or exports no project; what its definitions throw, with the place in the
 *   file; `InvalidDefinition` for a contract that is not whole.
 */
export async function loadProject(
  file: string,
  onImport?: (file: string) => void,
): Promise<Project | Contract> {
  const path = resolve(file);
  onImport?.(path);
  try {
    await access(path);
  } catch {
    throw new GranaryError(
      'InvalidInput',
      `There is no project file ${path}. Give its path: --project granary.ts; or make a project: granary init`,
    );
  }
  if (path.endsWith('.json')) return parseContract(await readFile(path, 'utf8'), file);
  const loaded = await imported(path, onImport);
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

async function imported(
  path: string,
  onImport: ((file: string) => void) | undefined,
): Promise<{ readonly default?: unknown }> {
  const told = (url: string): void => {
    const [plain = ''] = url.split('?');
    if (plain.startsWith('file:') && !plain.includes('/node_modules/')) onImport?.(fileURLToPath(plain));
  };
  try {
    return (await tsImport(pathToFileURL(path).href, {
      parentURL: import.meta.url,
      ...(onImport === undefined ? {} : { onImport: told }),
    })) as { readonly default?: unknown };
  } catch (error) {
    throw loadError(path, error);
  }
}

/** What loading threw. The project has a copy of this package's classes of its own, so that errors are known by their names. */
function loadError(path: string, error: unknown): GranaryError {
  const { name, code, stack = '' } = error as Partial<GranaryError>;
  const place = stack
    .split('\n')
    .map((line) => /(?:\(|at )(?:file:\/\/)?(\/[^()?]+?)(?:\?[^:)]*)?(:\d+:\d+)\)?$/.exec(line))
    .find((match) => match?.[1] !== undefined && isOwn(match[1]));
  const at = place ? ` (${relative('.', place[1] ?? '')}${place[2] ?? ''})` : '';
  if (name === 'GranaryError' && code !== undefined && code in ERROR_CODES)
    return new GranaryError(code, `${messageOf(error)}${at}`, { cause: error });
  return new GranaryError(
    'InvalidInput',
    `${path} cannot be run: ${messageOf(error).replace(/^Transform failed with \d+ errors?:\n/, '')}${at}`,
    {
      cause: error,
    },
  );
}

/** What throws of this package while a project is loaded: its compiled code, and by source maps its sources. */
const definitions = fileURLToPath(new URL('../definitions/', import.meta.url));
const parts = [definitions, definitions.replace('/lib/definitions/', '/definitions/')];

/** Whether a file is of the project, and not of a package, this one included. */
const isOwn = (file: string): boolean =>
  !file.includes('/node_modules/') && !parts.some((part) => file.startsWith(part));

const isProject = (value: unknown): value is Project =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'project';
