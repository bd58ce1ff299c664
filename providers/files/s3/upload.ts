import type { S3Bucket } from './bucket.js';
import { PART, putParts } from './put-parts.js';
import { putStream, putWhole } from './put-whole.js';
import { Refused, type Upload } from './write.js';

/** The largest object that one request may write. */
const LARGEST_PUT = 5 * 2 ** 30;

/**
 * Writes an object, whole or not at all. Returns its ETag, or `undefined` where the condition did not hold or somebody aborted the upload.
 *
 * What is large goes by parts, but not on a condition: AWS holds the condition of a completion to its end, SeaweedFS 4.48 lets several of a
 * race win. The condition of a single request holds everywhere, so a conditional write is one as long as S3 takes it.
 * @throws GranaryError `ChecksumMismatch` when the bytes are not those expected.
 */
export async function upload(bucket: S3Bucket, what: Upload): Promise<string | undefined> {
  what.signal?.throwIfAborted();
  const { bytes } = what.expected;
  const byParts = what.form === 2 || bytes > (what.onto === undefined ? PART : LARGEST_PUT);
  try {
    if (byParts) return await putParts(bucket, what);
    return await (bytes <= PART ? putWhole(bucket, what) : putStream(bucket, what));
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
