import { createHash } from 'node:crypto';
import type { ListMultipartUploadsOutput } from '@aws-sdk/client-s3';
import { GranaryError } from '../../../definitions/errors.js';
import type { Digest } from '../durable.js';
import { until, type ObjectHead, type S3Bucket } from './bucket.js';
import { isAbsent, isRefused, isUploadGone } from './errors.js';

const MIB = 2 ** 20;
/** S3 takes 10,000 parts of 5 MiB or more. */
export const PART = 8 * MIB;
const PARTS = 9000;
/** Parts on their way at a time: with the one that is being filled, all that an upload holds in memory. */
const AT_ONCE = 3;

export interface Upload {
  readonly path: string;
  /** The bytes, and whether they are these: nothing is stored when they are not. */
  readonly bytes: () => AsyncIterable<Uint8Array>;
  readonly expected: Digest;
  /** Where they come from, for messages. */
  readonly from: string;
  /** `absent`: only where nothing is; a head: only where that very object is. Without: whatever is there. */
  readonly onto?: 'absent' | ObjectHead | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * S3 makes an ETag from the bytes and from how they were cut. The second form cuts otherwise, so that equal bytes written anew get
   * another ETag.
   */
  readonly form?: 1 | 2;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes an object, whole or not at all, by parts when it is large. Returns its ETag, or `undefined` where the condition did not hold.
 * @throws GranaryError `ChecksumMismatch` when the bytes are not those expected.
 */
export async function upload(bucket: S3Bucket, what: Upload): Promise<string | undefined> {
  what.signal?.throwIfAborted();
  const small = what.expected.bytes <= PART && what.form !== 2;
  try {
    return await (small ? putWhole(bucket, what) : putParts(bucket, what));
  } catch (error) {
    // An object that `onto` names and that is gone is refused with "not found".
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

class Refused extends Error {}

const condition = ({ onto }: Upload): { IfNoneMatch?: string; IfMatch?: string } =>
  onto === undefined ? {} : onto === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: onto.etag };

const refusal = (what: Upload, error: unknown): unknown =>
  what.onto !== undefined && (isRefused(error) || (typeof what.onto === 'object' && isAbsent(error)))
    ? new Refused()
    : error;

const describe = ({ expected, metadata }: Upload): Record<string, string> => ({
  'granary-sha256': expected.sha256,
  ...metadata,
});

const base64 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

async function putWhole(bucket: S3Bucket, what: Upload): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of verified(what)) chunks.push(chunk);
  const Body = Buffer.concat(chunks);
  return bucket.call(what.path, async (s3, at) => {
    try {
      const put = { ...at, ...condition(what), Body, ChecksumSHA256: base64(Body), Metadata: describe(what) };
      return (await s3.putObject(put, until(what.signal))).ETag ?? '';
    } catch (error) {
      throw refusal(what, error);
    }
  });
}

async function putParts(bucket: S3Bucket, what: Upload): Promise<string> {
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
      const ChecksumSHA256 = base64(Body);
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
      // Somebody who found it left over has aborted it, or its completion was answered into the void: look again.
      if (isUploadGone(error)) throw new Refused();
      throw refusal(what, error);
    }
  });
}

function partBytes({ expected, form }: Upload): number {
  const least = Math.ceil(expected.bytes / PARTS / MIB) * MIB;
  return Math.max(PART, least) + (form === 2 ? MIB : 0);
}

/** The bytes while they pass by; at their end an error when they were others than expected. */
async function* verified({ bytes, expected, from }: Upload): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of bytes()) {
    hash.update(chunk);
    yield chunk;
  }
  const found = hash.digest('hex');
  if (found !== expected.sha256) throw otherBytes(from, expected.sha256, found);
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

/** The error of bytes that are not those that were recorded. */
export function otherBytes(place: string, expected: string, found: string): GranaryError {
  return new GranaryError(
    'ChecksumMismatch',
    `${place} has the SHA-256 ${found}, but ${expected} was recorded: its bytes were changed.`,
    { details: { path: place, expected, found } },
  );
}
