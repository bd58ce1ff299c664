import fs from 'node:fs';
import path from 'node:path';

/** `linux-x64` and so on: the key of the tables in pins.mjs. */
export const platform = `${process.platform}-${process.arch}`;

/** Alpine and its like: what is built against glibc does not run there. */
export const isMusl =
  process.platform === 'linux' &&
  !(/** @type {any} */ (process.report?.getReport())?.header?.glibcVersionRuntime);

export const isRoot = process.getuid?.() === 0;

/** @param {string} name GRANARY_NO_CDN and the like, which force a route */
export function isSet(name) {
  return !['', '0', undefined].includes(process.env[name]);
}

/**
 * The first program of that name on PATH.
 * @param {string} name
 */
export function findOnPath(name) {
  return (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter(Boolean)
    .map((folder) => path.join(folder, name))
    .find(isProgram);
}

/** @param {string} file */
export function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What servers and their tools see of our environment: nothing that could turn them from what we ask. */
export function plainEnvironment() {
  const { PATH, TMPDIR } = process.env;
  // A HOME of their own keeps a user's ~/.config/temporalio and the like out.
  return { HOME: '/nonexistent', LC_ALL: 'C', TZ: 'UTC', ...(PATH && { PATH }), ...(TMPDIR && { TMPDIR }) };
}
