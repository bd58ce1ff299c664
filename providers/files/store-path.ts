import { GranaryError } from '../../definitions/errors.js';

/** The folder in a store under which attempts write before they commit. */
export const STAGING = '_staging';

/**
 * A path inside a store: relative, `/` between the parts, no `.` or `..`. A trailing `/` is cut; '' is the store's root.
 * @throws GranaryError `InvalidInput` for any other path.
 */
export function storePath(path: string): string {
  const parts = path.replace(/\/$/, '').split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || /[\0\\]/.test(part));
  if (bad && path !== '')
    throw new GranaryError(
      'InvalidInput',
      `"${path}" is not a path inside the store. Write a relative path with "/" and without "..", such as features/latest.json.`,
    );
  return parts.join('/');
}

/**
 * A path below `_staging/`.
 * @throws GranaryError `InvalidInput` for any other path.
 */
export function stagingPath(path: string): string {
  const clean = storePath(path);
  if (!clean.startsWith(`${STAGING}/`))
    throw new GranaryError(
      'InvalidInput',
      `"${path}" is not below ${STAGING}/: only staged files may be touched here.`,
    );
  return clean;
}

/**
 * A path that may be removed: neither the store's root nor anything of `_staging`.
 * @throws GranaryError `InvalidInput` for any other path.
 */
export function removablePath(path: string): string {
  const clean = storePath(path);
  if (clean === '' || clean === STAGING || clean.startsWith(`${STAGING}/`))
    throw new GranaryError(
      'InvalidInput',
      `"${path}" is not to be removed: it is the store itself, or belongs to runs that stage there.`,
    );
  return clean;
}

/** A pattern's parts: the folder that holds all its matches, and the test of a path; no test for a plain path. */
export function parseGlob(pattern: string): {
  readonly base: string;
  readonly matches?: (path: string) => boolean;
} {
  const clean = storePath(pattern);
  const star = clean.indexOf('*');
  if (star < 0) return { base: clean };
  const base = clean.slice(0, Math.max(0, clean.lastIndexOf('/', star)));
  const source = clean.replaceAll(/\*\*\/|\*\*|\*|[^*]+/g, (part) => {
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&');
  });
  const expression = new RegExp(`^${source}$`, 's');
  return { base, matches: (path) => expression.test(path) };
}
