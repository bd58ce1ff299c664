import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, ownIdentity } from './processes.mjs';

/**
 * Runs `work` while no other process runs its own under the same folder.
 *
 * A holder is a file with a number; the highest number holds. Who finds the highest one free, or its process
 * dead, makes the next number, and `link` lets only one process make it. Nothing is ever taken away from
 * under a holder, so a take-over cannot hit one that is alive, which it can where a lock is one file.
 * @template T
 * @param {string} folder
 * @param {() => Promise<T>} work
 * @param {{ signal?: AbortSignal | undefined, waiting?: (pid: number) => void }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(folder, work, { signal, waiting } = {}) {
  const file = await acquire(folder, signal, waiting);
  try {
    return await work();
  } finally {
    release(file);
  }
}

/**
 * @param {string} folder
 * @param {AbortSignal | undefined} signal
 * @param {((pid: number) => void) | undefined} waiting
 */
async function acquire(folder, signal, waiting) {
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    fs.mkdirSync(folder, { recursive: true });
    const highest = highestNumber(folder);
    const holder = highest === 0 ? undefined : read(numbered(folder, highest));
    if (!isAlive(holder)) {
      const mine = numbered(folder, highest + 1);
      // Someone who slept between reading and linking may have made a number that is long passed.
      if (linkWhole(mine, ownIdentity()) && highestNumber(folder) === highest + 1) {
        removeOld(folder, highest + 1);
        return mine;
      }
      continue;
    }
    if (!told) waiting?.(holder.pid);
    told = true;
    await sleep(50, undefined, { signal });
  }
}

/** @param {string} folder */
function highestNumber(folder) {
  return Math.max(0, ...numbers(folder));
}

/** @param {string} folder */
function numbers(folder) {
  return fs
    .readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * @param {string} folder
 * @param {number} number
 */
function numbered(folder, number) {
  return path.join(folder, String(number));
}

/**
 * The last few stay, so that a slow reader cannot make one of them anew and think it the highest.
 * @param {string} folder
 * @param {number} current
 */
function removeOld(folder, current) {
  for (const number of numbers(folder)) {
    if (number < current - 8) fs.rmSync(numbered(folder, number), { force: true });
  }
}

/** @param {string} file */
function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {string} file */
function release(file) {
  const draft = `${file}.${process.pid}.draft`;
  try {
    fs.writeFileSync(draft, JSON.stringify({ free: true }));
    fs.renameSync(draft, file);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    // Whoever removed the whole folder has released it too.
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return;
    if (!isDiskFull(error)) throw error;
    fs.truncateSync(file); // which names no holder, and takes no room
  }
}

/**
 * @param {unknown} error
 * @returns {boolean} whether nothing more can be written where it came from
 */
export function isDiskFull(error) {
  return ['ENOSPC', 'EDQUOT'].includes(/** @type {NodeJS.ErrnoException} */ (error)?.code ?? '');
}

/**
 * False when the file is there already.
 * @param {string} file
 * @param {object} value
 */
function linkWhole(file, value) {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.draft`;
  fs.writeFileSync(draft, JSON.stringify(value));
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}
