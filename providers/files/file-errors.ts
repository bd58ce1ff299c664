import { GranaryError, messageOf } from '../../definitions/errors.js';

/** The code of a Node file-system error, such as `ENOENT`; '' for anything else. */
export function fsCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** A file-system error as a GranaryError that names the path and the remedy; a GranaryError stays as it is. */
export function fileError(error: unknown, path: string): unknown {
  if (error instanceof GranaryError || (error instanceof Error && error.name === 'AbortError')) return error;
  const code = fsCode(error);
  const options = { details: { path, code }, cause: error };
  switch (code) {
    case 'ENOENT':
      return new GranaryError('SourceMissing', `There is no file ${path}.`, options);
    case 'ENOSPC':
    case 'EDQUOT':
      return new GranaryError(
        'ResourcesExhausted',
        `The disk is full (${code}) at ${path}. Free some space.`,
        options,
      );
    case 'EMFILE':
    case 'ENFILE':
      return new GranaryError('ResourcesExhausted', `Too many files are open (${code}) at ${path}.`, options);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new GranaryError(
        'ConfigurationMissing',
        `No permission (${code}) for ${path}. Give the worker's user read and write access to it.`,
        options,
      );
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENOTEMPTY':
    case 'ELOOP':
      return new GranaryError(
        'ConfigurationMissing',
        `${path} is not what was expected there (${code}): a file in the place of a folder, or the reverse.`,
        options,
      );
    case 'EIO':
    case 'ESTALE':
    case 'ETIMEDOUT':
    case 'ENOTCONN':
      return new GranaryError(
        'ProviderUnreachable',
        `The disk does not answer (${code}) at ${path}.`,
        options,
      );
    default:
      return code === ''
        ? error
        : new GranaryError('Internal', `File operation failed at ${path}: ${messageOf(error)}`, options);
  }
}

/** Runs a file operation and throws its error as {@link fileError} gives it. */
export async function naming<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileError(error, path);
  }
}
