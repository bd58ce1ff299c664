import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { GranaryError, messageOf } from '../../definitions/errors.js';
import type { ProjectFile } from './project-files.js';

/** What may be in a folder already: a repository without a commit, and what macOS puts everywhere. */
const HARMLESS: ReadonlySet<string> = new Set(['.git', '.DS_Store']);
/** A draft's folder is named by the process that writes it, so that one that was killed is known. */
const DRAFT = '.granary-init-';

/**
 * Writes a project into a folder, with its first data: in a draft within it, and then each entry in one step. When that fails, the folder is as it
 * was before.
 * @throws GranaryError `InvalidInput` when the folder holds something, is a file, or cannot be written.
 */
export async function writeProject(folder: string, files: readonly ProjectFile[]): Promise<void> {
  await refuseTaken(folder);
  let made: string | undefined;
  let draft: string | undefined;
  const moved: string[] = [];
  try {
    made = await makeFolder(folder);
    await removeDrafts(folder);
    draft = await mkdtemp(join(folder, `${DRAFT}${process.pid}-`));
    for (const { path, content } of files) {
      await mkdir(dirname(join(draft, path)), { recursive: true });
      await writeFile(join(draft, path), content);
    }
    await promisify(execFile)(process.execPath, ['make-orders.mjs'], { cwd: draft });
    for (const entry of await readdir(draft)) {
      const target = join(folder, entry);
      await rename(join(draft, entry), target);
      moved.push(target);
    }
    await rmdir(draft);
  } catch (error) {
    for (const path of [
      ...moved,
      ...(draft === undefined ? [] : [draft]),
      ...(made === undefined ? [] : [made]),
    ])
      await rm(path, { recursive: true, force: true });
    throw new GranaryError(
      'InvalidInput',
      `No project was made in ${folder}: ${messageOf(error)}. Nothing is left of it there.`,
      {
        cause: error,
      },
    );
  }
}

/** Makes a folder and those above it; resolves to the topmost that was made. Not by `recursive`, which never ends where the system refuses, as in /proc. */
async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return undefined;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    const above = await makeFolder(dirname(folder));
    await mkdir(folder);
    return above ?? folder;
  }
}

async function refuseTaken(folder: string): Promise<void> {
  let entries: string[];
  try {
    entries = (await readdir(folder)).filter((entry) => !HARMLESS.has(entry) && !isDeadDraft(entry)).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new GranaryError(
      'InvalidInput',
      code === 'ENOTDIR'
        ? `${folder} is a file. Name a folder that is new or empty.`
        : `${folder} cannot be read: ${messageOf(error)}.`,
      { cause: error },
    );
  }
  if (entries.length === 0) return;
  const shown = entries.slice(0, 5).join(', ');
  const more = entries.length > 5 ? ` and ${entries.length - 5} more` : '';
  throw new GranaryError(
    'InvalidInput',
    `${folder} is not empty: it holds ${shown}${more}. Name a folder that is new or empty, or take them away. Nothing was written.`,
  );
}

/** Whether an entry is the draft of an init that was killed. */
function isDeadDraft(entry: string): boolean {
  const [, pid] = /^\.granary-init-(\d+)-/.exec(entry) ?? [];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

async function removeDrafts(folder: string): Promise<void> {
  for (const entry of (await readdir(folder)).filter(isDeadDraft))
    await rm(join(folder, entry), { recursive: true, force: true });
}
