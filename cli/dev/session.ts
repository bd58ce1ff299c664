import { mkdir, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, ownIdentity, withLock } from '#services';
import { GranaryError } from '../../definitions/errors.js';

/** Where `granary dev` keeps servers, data and logs, below the folder in which it is run. */
export const DEV_FOLDER = join('.granary', 'dev');
const SESSION = join(DEV_FOLDER, 'session.json');

/** What other commands in the same folder need to know of a `granary dev` that runs. */
export interface Session {
  readonly pid: number;
  readonly started?: string | undefined;
  readonly environment: string;
  /** The variables by which its servers are found. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Runs `work` unless another `granary dev` runs in this folder.
 * @throws GranaryError `InvalidInput` that names its process.
 */
export async function asOnlyDev(work: () => Promise<void>): Promise<void> {
  await mkdir(DEV_FOLDER, { recursive: true });
  await withLock(join(DEV_FOLDER, 'only'), work, {
    waiting: (pid) => {
      throw new GranaryError(
        'InvalidInput',
        `granary dev runs in this folder already (process ${pid}). Use that one, or stop it with Ctrl-C in its terminal (or: kill ${pid}).`,
      );
    },
  });
}

/** Writes down what runs; resolves to what takes it back. */
export async function openSession(
  environment: string,
  variables: Session['variables'],
): Promise<() => Promise<void>> {
  const session: Session = { ...ownIdentity(), environment, variables };
  await writeFile(SESSION, JSON.stringify(session));
  return () => rm(SESSION, { force: true });
}

/** The `granary dev` that runs in this folder, if one does. */
export function runningSession(): Session | undefined {
  try {
    const session = JSON.parse(readFileSync(SESSION, 'utf8')) as Session;
    return isAlive(session) ? session : undefined;
  } catch {
    return undefined;
  }
}
