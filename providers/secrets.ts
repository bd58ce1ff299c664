import { readFileSync } from 'node:fs';
import { describeSecret, type Secret } from '../definitions/secret.js';
import { GranaryError } from '../definitions/errors.js';

/**
 * The value of a setting at this moment; read again at each use, so that a rotated secret is picked up.
 * @throws GranaryError `ConfigurationMissing` that names the variable or the file, never a value.
 */
export function resolveSecret(what: string, setting: string | Secret): string {
  const value = readSecret(setting);
  if (value !== undefined && value !== '') return value;
  throw new GranaryError(
    'ConfigurationMissing',
    `${what} is not set: ${describeSecret(setting)} is ${typeof setting === 'object' && 'file' in setting ? 'absent or empty' : 'empty'}. Set it for this command and for the worker.`,
  );
}

/** The value, or `undefined` where there is none. */
export function readSecret(setting: string | Secret): string | undefined {
  if (typeof setting === 'string') return setting;
  if ('env' in setting) return process.env[setting.env];
  try {
    return readFileSync(setting.file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
