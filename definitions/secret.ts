import { GranaryError } from './errors.js';

/** A value that is looked up where and when it is used, never stored: an environment variable or a file. */
export type Secret = { readonly env: string } | { readonly file: string };

/** The environment variable `name` of the process that uses it. */
export const fromEnv = (name: string): Secret => ({ env: name });
/** The contents of a file, without white space at its ends (Kubernetes and Docker secrets). */
export const fromFile = (path: string): Secret => ({ file: path });

/** How a message names a secret without its value. */
export function describeSecret(value: string | Secret): string {
  if (typeof value === 'string') return value;
  return 'env' in value ? `the variable ${value.env}` : `the file ${value.file}`;
}

/**
 * Refuses a secret that was written into a definition as a text.
 * @throws GranaryError `InvalidDefinition` with the remedy.
 */
export function refuseText(what: string, field: string, value: Secret | undefined): void {
  if (typeof value === 'string')
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: the ${field} stands in the code. Keep it out: write fromEnv('NAME') or fromFile('/run/secrets/name') instead.`,
    );
}

/**
 * Refuses a password that was written into a definition.
 * @throws GranaryError `InvalidDefinition` with the remedy.
 */
export function refuseLiteralPassword(what: string, url: string | Secret): void {
  if (typeof url !== 'string') return;
  if (/^[a-z+]+:\/\/[^@/]*:[^@/]+@/i.test(url) || /[?&]password=/i.test(url))
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: the URL holds a password. Keep it out of the code: write fromEnv('NAME') or fromFile('/run/secrets/name') instead.`,
    );
}
