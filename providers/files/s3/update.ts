import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import type { S3Bucket } from './bucket.js';
import { upload } from './upload.js';

const ATTEMPTS = 40;

/** Replaces a small object by what `change` makes of its bytes, only onto the object that had them. See `FileProvider.update`. */
export async function updateInS3(
  bucket: S3Bucket,
  path: string,
  change: (bytes: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
): Promise<'written' | 'unchanged'> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await bucket.whole(path);
    const bytes = await change(found?.bytes);
    if (bytes === undefined) return 'unchanged';
    const written = await upload(bucket, {
      path,
      from: bucket.uri(path),
      onto: found?.head ?? 'absent',
      expected: { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
      bytes: async function* () {
        yield bytes;
      },
    });
    if (written !== undefined) return 'written';
    await sleep(Math.random() * Math.min(1000, 20 * 2 ** attempt));
  }
  throw new GranaryError(
    'ProviderUnreachable',
    `${bucket.uri(path)} could not be replaced in ${ATTEMPTS} attempts: other writers kept interfering. Trying again helps.`,
  );
}
