import { createHash } from 'node:crypto';
import type { ListMultipartUploadsOutput } from '@aws-sdk/client-s3';
import { until, type S3Bucket } from './bucket.js';
import { isUploadGone } from './errors.js';
import { condition, describe, refusal, Refused, verified, type Upload } from './write.js';

const MIB = 2 ** 20;
/** S3 takes 10,000 parts of 5 MiB or more. */
export const PART = 8 * MIB;
const PARTS = 9000;
/** Parts on their way at a time: with the one that is being filled, all that an upload holds in memory. */
const AT_ONCE = 3;

/** By parts, several at a time. Whatever ends it early has the parts removed. */
export async function putParts(bucket: S3Bucket, what: Upload): Promise<string> {
  return bucket.call(what.path, async (s3, at) => {
    const { UploadId } = await s3.createMultipartUpload(
      { ...at, ChecksumAlgorithm: 'SHA256', Metadata: describe(what) },
      until(what.signal),
    );
    const stop = new AbortController();
    const abortSignal = what.signal ? AbortSignal.any([what.signal, stop.signal]) : stop.signal;
    const sending = new Set<Promise<void>>();
    const parts: { PartNumber: number; ETag: string; ChecksumSHA256: string }[] = [];
    const failures: unknown[] = [];
    const send = async (PartNumber: number, Body: Buffer): Promise<void> => {
      const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64');
      const part = { ...at, UploadId, PartNumber, Body, ChecksumSHA256 };
      try {
        const { ETag = '' } = await s3.uploadPart(part, { abortSignal });
        parts.push({ PartNumber, ETag, ChecksumSHA256 });
      } catch (error) {
        failures.push(error);
      }
    };
    const room = async (most: number): Promise<void> => {
      while (sending.size > most && failures.length === 0) await Promise.race(sending);
      if (failures.length > 0) throw failures[0];
    };
    try {
      let number = 0;
      for await (const body of cut(verified(what), partBytes(what))) {
        await room(AT_ONCE - 1);
        const sent = send(++number, body).finally(() => sending.delete(sent));
        sending.add(sent);
      }
      await room(0);
      parts.sort((a, b) => a.PartNumber - b.PartNumber);
      const whole = { ...at, ...condition(what), UploadId, MultipartUpload: { Parts: parts } };
      const { ETag = '' } = await s3.completeMultipartUpload(whole, { abortSignal });
      return ETag;
    } catch (error) {
      stop.abort();
      // Parts that arrive after the abort would stay.
      await Promise.allSettled(sending);
      await s3.abortMultipartUpload({ ...at, UploadId }).catch(() => undefined);
      // Somebody has aborted it, or the answer to its completion was lost: look again.
      if (isUploadGone(error)) throw new Refused();
      throw refusal(what, error);
    }
  });
}

function partBytes({ expected, form }: Upload): number {
  const least = Math.ceil(expected.bytes / PARTS / MIB) * MIB;
  return Math.max(PART, least) + (form === 2 ? MIB : 0);
}

/** Cuts bytes into buffers of a size; the last one is shorter, and there is one at least. */
async function* cut(bytes: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (let chunk of bytes) {
    while (length + chunk.length > size) {
      const rest = size - length;
      yield Buffer.concat([...held, chunk.subarray(0, rest)]);
      held = [];
      length = 0;
      chunk = chunk.subarray(rest);
    }
    held.push(chunk);
    length += chunk.length;
  }
  yield Buffer.concat(held);
}

/**
 * Aborts the uploads under a prefix that nobody will complete. One that is still at work finds that out, and looks again at what
 * is there.
 */
export async function abortUploads(
  bucket: S3Bucket,
  path: string,
  isLeftOver: (key: string) => boolean,
): Promise<void> {
  await bucket.call(path, async (s3, { Bucket, Key }) => {
    let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (marker) {
      const page: ListMultipartUploadsOutput = await s3.listMultipartUploads({
        Bucket,
        Prefix: Key,
        ...marker,
      });
      for (const upload of page.Uploads ?? [])
        if (upload.Key !== undefined && isLeftOver(upload.Key))
          await s3
            .abortMultipartUpload({ Bucket, Key: upload.Key, UploadId: upload.UploadId })
            .catch((error: unknown) => {
              if (!isUploadGone(error)) throw error;
            });
      marker = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker ?? '', UploadIdMarker: page.NextUploadIdMarker ?? '' }
        : undefined;
    }
  });
}
