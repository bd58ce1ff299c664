import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this file belongs to, wherever it is called from. */
export const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Programs are the same for every set of services, so one cache serves them all. */
export const defaultPrograms = path.join(repository, '.granary', 'bin');

export const defaultDir = path.join(repository, '.granary', 'services');

/**
 * Where one set of services keeps its files.
 * @param {string} dir
 */
export function layoutOf(dir) {
  const base = path.resolve(dir);
  return {
    dir: base,
    lock: path.join(base, 'lock'),
    users: path.join(base, 'users'),
    keep: path.join(base, 'keep'),
    /** @param {string} name */
    record: (name) => path.join(base, 'run', `${name}.json`),
    /** @param {string} name */
    log: (name) => path.join(base, 'logs', `${name}.log`),
    /** @param {string} name */
    data: (name) => path.join(base, 'data', name),
  };
}

/** @typedef {ReturnType<typeof layoutOf>} Layout */
