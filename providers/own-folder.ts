import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Folders of this very process: none of them is left over. */
const own = new Set<string>();

/** In a container every process may have the same pid, and several containers may share the parent: the host's name tells them apart. */
const host = (): string => `${hostname().replaceAll(/[^\w.-]/g, '_')}@`;

/** A folder below `parent` for this process alone. */
export async function makeOwnFolder(parent: string): Promise<string> {
  const folder = join(parent, `${host()}${process.pid}-${randomUUID()}`);
  // Known as our own before it is there: a sweep of this process would take it for a leftover.
  own.add(folder);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** A folder for this process; those that dead processes of this host left are removed. */
export async function makeScratch(parent = join(tmpdir(), 'granary')): Promise<string> {
  await mkdir(parent, { recursive: true });
  await sweepOwnFolders(parent);
  return await makeOwnFolder(parent);
}

/** Removes the folders that dead processes of this host left below `parent`. */
export async function sweepOwnFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(name.startsWith(host()) ? name.slice(host().length).split('-')[0] : NaN);
    const isLeft =
      pid === process.pid ? !own.has(join(parent, name)) : Number.isInteger(pid) && !isAlive(pid);
    if (isLeft) await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
