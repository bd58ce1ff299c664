import { readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../definitions/errors.js';
import { isTemporary, syncFolder, temporaryPath, writeDurably } from './durable.js';
import { fsCode } from './file-errors.js';

const ATTEMPTS = 60;

/**
 * Points `latest.json`, then the link `latest`, in a folder at a version, without a lock, and never at an older one.
 *
 * Why a writer that sleeps between its check and its rename changes nothing: it made its temporary files *before* it
 * asked the registry. A newer version is committed in the registry before its writer comes here, and that writer first
 * removes all temporary files of others. So either the sleeper's files were there to be removed, and its renames find
 * nothing to rename (`ENOENT`); or it made them after the removal, and then it asked the registry after the newer commit
 * and was told that it is not the newest. A sleeper that renames before the removal is overwritten by the newer writer,
 * which renames after it.
 *
 * A rename that finds nothing starts over, for the remover may as well have been a writer of the same version, or an
 * older one that asked just before this version was committed.
 */
export async function pointLatestOnDisk(
  folder: string,
  version: string,
  json: string,
  isNewest: () => Promise<boolean>,
): Promise<'moved' | 'unchanged' | 'superseded'> {
  const pointer = join(folder, 'latest.json');
  const link = join(folder, 'latest');
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if ((await readlinkIfAny(link)) === version && (await readIfAny(pointer)) === json) return 'unchanged';
    // Asked once before touching anything, so that late writers of old versions do not disturb the newest one.
    if (!(await isNewest())) return 'superseded';

    await removeTemporaries(folder);
    const newPointer = temporaryPath(pointer);
    const newLink = temporaryPath(link);
    try {
      await writeDurably(newPointer, json);
      await symlink(version, newLink, 'dir');
      if (!(await isNewest())) return 'superseded';
      if (await renamed(newPointer, pointer)) {
        if (!(await isNewest())) return 'superseded';
        if (await renamed(newLink, link)) {
          await syncFolder(folder);
          return 'moved';
        }
      }
    } finally {
      await rm(newPointer, { force: true });
      await rm(newLink, { force: true });
    }
    await sleep(Math.random() * Math.min(200, 2 ** attempt));
  }
  throw new GranaryError(
    'ProviderUnreachable',
    `${pointer} could not be replaced in ${ATTEMPTS} attempts: other writers kept interfering. Trying again helps.`,
  );
}

async function removeTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (isTemporary(name, 'latest.json') || isTemporary(name, 'latest'))
      await rm(join(folder, name), { force: true });
}

/** Whether the rename took place; not when somebody removed the file. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (fsCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function readIfAny(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => absent(error, ['ENOENT']));
}

async function readlinkIfAny(path: string): Promise<string | undefined> {
  return readlink(path).catch((error: unknown) => absent(error, ['ENOENT', 'EINVAL']));
}

function absent(error: unknown, codes: readonly string[]): undefined {
  if (!codes.includes(fsCode(error))) throw error;
  return undefined;
}
