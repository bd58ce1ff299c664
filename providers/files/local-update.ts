import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../definitions/errors.js';
import { isTemporary, syncFolder, temporaryPath, writeDurably } from './durable.js';
import { fsCode } from './file-errors.js';

const ATTEMPTS = 60;

/**
 * Replaces a small file by what `change` makes of its bytes, without a lock that a killed writer could leave behind. See
 * `FileProvider.update`.
 *
 * Each writing is a generation, a file `.<name>.g<number>`, and the file itself is another name of the newest one. A generation is made by
 * linking, which fails where there is one already: so of those who read one generation, one makes the next, and the others begin again.
 * An old number that was removed may be made anew by a writer who slept; it then finds a higher one, and begins again, too.
 *
 * The file's name is moved by a rename. A writer who sleeps before it must not move the name back: whoever has made a generation first
 * removes the temporary names of all others, and a temporary name is only renamed when no higher generation was there after it was made.
 */
export async function updateOnDisk(
  path: string,
  change: (bytes: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
): Promise<'written' | 'unchanged'> {
  const folder = dirname(path);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const newest = await newestOf(path);
    const before = await readIfAny(newest === 0 ? path : generation(path, newest));
    // Removed since it was listed: there is a newer one.
    if (newest > 0 && before === undefined) continue;
    const bytes = await change(before);
    if (bytes === undefined) {
      // A writer may have been killed before it moved the name.
      if (newest > 0) await showNewest(path);
      return 'unchanged';
    }
    if ((await made(path, newest + 1, bytes)) && (await newestOf(path)) === newest + 1) {
      await showNewest(path);
      await syncFolder(folder);
      return 'written';
    }
    await sleep(Math.random() * Math.min(200, 2 ** attempt));
  }
  throw interfered(path);
}

const generation = (path: string, number: number): string =>
  join(dirname(path), `.${basename(path)}.g${number}`);

/** Whether a name is a generation's: such names are never listed. */
export const isGeneration = (name: string): boolean => /^\..+\.g\d{1,15}$/.test(name);

/** The numbers of the generations that are there, in no order. */
async function generations(path: string): Promise<number[]> {
  const start = `.${basename(path)}.g`;
  const names = await readdir(dirname(path));
  return names.flatMap((name) => {
    const number = name.startsWith(start) ? name.slice(start.length) : '';
    return /^\d{1,15}$/.test(number) ? [Number(number)] : [];
  });
}

const newestOf = async (path: string): Promise<number> => Math.max(0, ...(await generations(path)));

/** Whether this writer made the generation; not when there is one. */
async function made(path: string, number: number, bytes: Uint8Array): Promise<boolean> {
  const temporary = temporaryPath(generation(path, number));
  try {
    await writeDurably(temporary, bytes);
    await link(temporary, generation(path, number));
    return true;
  } catch (error) {
    // There is one; or somebody who made one has removed what others were at.
    if (['EEXIST', 'ENOENT'].includes(fsCode(error))) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Moves the file's name to the newest generation, and removes the older ones. */
async function showNewest(path: string): Promise<void> {
  await removeTemporaries(path);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const newest = await newestOf(path);
    const temporary = temporaryPath(path);
    try {
      await link(generation(path, newest), temporary);
      if ((await newestOf(path)) !== newest) continue;
      await rename(temporary, path);
      for (const number of await generations(path))
        if (number < newest) await rm(generation(path, number), { force: true });
      return;
    } catch (error) {
      // Somebody has made a newer generation, and removed this one or the temporary name.
      if (fsCode(error) !== 'ENOENT') throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await sleep(Math.random() * Math.min(200, 2 ** attempt));
  }
  throw interfered(path);
}

/** Removes what other writers, living or dead, are about to link or to rename. */
async function removeTemporaries(path: string): Promise<void> {
  const ofGeneration = `..${basename(path)}.g`;
  for (const name of await readdir(dirname(path)))
    if (isTemporary(name, basename(path)) || (isTemporary(name) && name.startsWith(ofGeneration)))
      await rm(join(dirname(path), name), { force: true });
}

async function readIfAny(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (fsCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

const interfered = (path: string): GranaryError =>
  new GranaryError(
    'ProviderUnreachable',
    `${path} could not be replaced in ${ATTEMPTS} attempts: other writers kept interfering. Trying again helps.`,
  );
