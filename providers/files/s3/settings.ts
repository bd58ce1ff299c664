import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { S3Options } from '../../../definitions/s3.js';
import { GranaryError } from '../../../definitions/errors.js';
import type { CacheOptions } from './cache.js';

const DEFAULT_BYTES = 10 * 2 ** 30;

/**
 * Where copies of objects lie on this machine: what the binding says, else `GRANARY_CACHE_FOLDER` and `GRANARY_CACHE_BYTES`, else 10 GiB in a folder
 * of this user's in the system's temporary one.
 */
export function cacheOptions(binding: S3Options['cache'], env = process.env): CacheOptions {
  const folder = binding?.folder ?? setting(env, 'GRANARY_CACHE_FOLDER');
  const bytes = setting(env, 'GRANARY_CACHE_BYTES');
  if (bytes !== undefined && !/^[1-9]\d{0,15}$/.test(bytes))
    throw new GranaryError(
      'ConfigurationMissing',
      `GRANARY_CACHE_BYTES is "${bytes}". Set it to a whole number of bytes above 0, such as 10737418240.`,
    );
  const maxBytes = binding?.maxBytes ?? (bytes === undefined ? DEFAULT_BYTES : Number(bytes));
  if (folder !== undefined) return { folder: resolve(folder), maxBytes };
  return { folder: join(tmpdir(), `granary-cache-${process.getuid?.() ?? 0}`), maxBytes, isPrivate: true };
}

function setting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}
