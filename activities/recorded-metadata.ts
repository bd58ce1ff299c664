import { createHash } from 'node:crypto';
import { GranaryError } from '../definitions/errors.js';
import { METADATA_FILE, publishedPath, type Dataset, type LatestFile } from '../registry/dataset.js';
import type { StagedRef } from './messages.js';
import type { Runtime } from './runtime.js';
import { stagedFile } from './store-version.js';

/** The metadata of an earlier version, after a look at each of its files: a commit of bytes that are gone could never be published. */
export async function recordedMetadata(
  runtime: Runtime,
  of: Dataset,
): Promise<Readonly<Record<string, unknown>>> {
  const store = runtime.providers.files(of.store);
  let metadata = '{}';
  for (const { name, sha256 } of of.files) {
    const path = publishedPath(of, name);
    let found: string;
    if (name === METADATA_FILE) {
      metadata = (await store.readText(path)) ?? '';
      found = createHash('sha256').update(metadata).digest('hex');
    } else found = await store.checksum(path);
    if (found !== sha256)
      throw new GranaryError(
        'ChecksumMismatch',
        `${store.uri(path)} has the SHA-256 ${found}, but ${sha256} was recorded: ${of.version} cannot be committed again. Restore the file, or choose another version. Nothing was changed.`,
        { details: { path, expected: sha256, found } },
      );
  }
  return JSON.parse(metadata) as Readonly<Record<string, unknown>>;
}

/** The files of a version as those of another: published from where they lie, but for a metadata.json of its own. */
export const sameBytes = (of: Dataset, metadata: StagedRef): LatestFile[] =>
  of.files.map((file) =>
    file.name === METADATA_FILE
      ? stagedFile(METADATA_FILE, metadata)
      : { ...file, staged: publishedPath(of, file.name) },
  );
