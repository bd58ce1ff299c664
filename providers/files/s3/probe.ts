import { createHash, randomBytes } from 'node:crypto';
import { GranaryError } from '../../../definitions/errors.js';
import { STAGING } from '../store-path.js';
import type { S3Bucket } from './bucket.js';
import { upload } from './upload.js';
import type { Upload } from './write.js';

/**
 * Writes a small object where nothing is, reads it, writes it again, which must be refused, and removes it.
 * @throws GranaryError `ConfigurationMissing` when the server ignores the condition: there versions would not be safe.
 */
export async function probe(bucket: S3Bucket): Promise<void> {
  const path = `${STAGING}/.check-${randomBytes(8).toString('hex')}`;
  const text = randomBytes(8).toString('hex');
  const expected = { bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') };
  const what: Upload = {
    ...{ path, expected, from: 'a check', onto: 'absent' },
    bytes: async function* () {
      yield Buffer.from(text);
    },
  };
  await upload(bucket, what);
  try {
    if ((await bucket.text(path)) !== text)
      throw new GranaryError(
        'ProviderUnreachable',
        `${bucket.uri('')} does not give back what was written there.`,
      );
    if ((await upload(bucket, what)) !== undefined)
      throw new GranaryError(
        'ConfigurationMissing',
        `${bucket.endpoint} ignores the condition If-None-Match: * of a write, without which versions are not safe in ${bucket.uri('')}. Use a server with conditional writes.`,
      );
  } finally {
    await bucket.remove([path]);
  }
}
