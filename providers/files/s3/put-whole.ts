import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import { until, type S3Bucket } from './bucket.js';
import { condition, describe, refusal, verified, type Upload } from './write.js';

const PUT_ATTEMPTS = 3;

/** In one request, from memory: the SDK may repeat it. */
export async function putWhole(bucket: S3Bucket, what: Upload): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of verified(what)) chunks.push(chunk);
  return put(bucket, what, Buffer.concat(chunks), what.signal);
}

/** In one request, as the bytes come. */
export async function putStream(bucket: S3Bucket, what: Upload): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const stop = new AbortController();
    const body = Readable.from(verified(what), { objectMode: false });
    let failure: unknown;
    body.on('error', (error) => {
      failure = error;
      stop.abort();
    });
    try {
      return await put(
        bucket,
        what,
        body,
        what.signal ? AbortSignal.any([what.signal, stop.signal]) : stop.signal,
      );
    } catch (error) {
      // Why the bytes stopped coming is the reason, and that the request was given up only what follows.
      if (failure !== undefined) throw bucket.named(failure, what.path);
      const mayPass = error instanceof GranaryError && error.code === 'ProviderUnreachable';
      if (!mayPass || attempt === PUT_ATTEMPTS) throw error;
      await sleep(100 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal: what.signal });
    } finally {
      body.destroy();
    }
  }
}

function put(
  bucket: S3Bucket,
  what: Upload,
  Body: Buffer | Readable,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { bytes, sha256 } = what.expected;
  const ChecksumSHA256 = Buffer.from(sha256, 'hex').toString('base64');
  return bucket.call(what.path, async (s3, at) => {
    const object = { ...at, ...condition(what), Body, ContentLength: bytes, ChecksumSHA256 };
    try {
      return (await s3.putObject({ ...object, Metadata: describe(what) }, until(signal))).ETag ?? '';
    } catch (error) {
      throw refusal(what, error);
    }
  });
}
