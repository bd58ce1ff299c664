import { GranaryError } from './errors.js';
import { describeSecret, refuseLiteralPassword, type Secret } from './secret.js';

/** A bucket as a store of files. Keys never stand here: the worker finds them as the AWS SDK does. */
export interface S3Options {
  readonly bucket: string;
  /** The folder in the bucket that is the store's root, such as `feature-store`. Default: the whole bucket. */
  readonly prefix?: string;
  /** Default: what the AWS SDK finds (`AWS_REGION`, the profile); for an `endpoint` without either, `us-east-1`. */
  readonly region?: string;
  /** The address of an S3-compatible server, such as `https://s3.example.com`. Default: AWS. */
  readonly endpoint?: string | Secret;
  /** Whether the bucket stands in the path and not in the host's name. Default: yes for an `endpoint`. */
  readonly forcePathStyle?: boolean;
  /** Where and how many bytes of copies each machine may keep; see docs/storage.md. */
  readonly cache?: { readonly folder?: string; readonly maxBytes?: number };
}

export type S3Binding = { readonly type: 's3' } & S3Options;

/**
 * A bucket of S3, or of a server that speaks its protocol and knows conditional writes, as a store of files.
 * @throws GranaryError `InvalidDefinition` for a name, a prefix, an address or a bound that cannot be.
 */
export function s3(options: S3Options): S3Binding {
  const { bucket, prefix, endpoint, cache } = options;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new GranaryError(
      'InvalidDefinition',
      `s3: "${bucket}" is not a bucket's name: 3 to 63 small letters, digits, "-" and ".", such as feature-store.`,
    );
  const parts = (prefix ?? '').replace(/\/$/, '').split('/');
  if (prefix !== undefined && parts.some((part) => ['', '.', '..'].includes(part) || /[\0\\]/.test(part)))
    throw new GranaryError(
      'InvalidDefinition',
      `s3: "${prefix}" is not a prefix. Write names with "/" between them and none before, such as team/feature-store; for the whole bucket leave it out.`,
    );
  if (endpoint !== undefined) refuseLiteralPassword('s3', endpoint);
  if (typeof endpoint === 'string' && !/^https?:\/\/[^/]/.test(endpoint))
    throw new GranaryError(
      'InvalidDefinition',
      `s3: "${endpoint}" is not an endpoint. Write its whole address, such as https://s3.example.com.`,
    );
  const max = cache?.maxBytes;
  if (max !== undefined && !(Number.isSafeInteger(max) && max > 0))
    throw new GranaryError(
      'InvalidDefinition',
      `s3: cache.maxBytes is ${max}. Write a whole number of bytes above 0, such as 10 * 2 ** 30.`,
    );
  return { type: 's3', ...options, ...(prefix === undefined ? {} : { prefix: parts.join('/') }) };
}

/** The place that a binding's files lie in, in words that are equal for equal places. */
export function s3Location({ bucket, prefix, endpoint }: S3Binding): string {
  const at = endpoint === undefined ? '' : ` at ${describeSecret(endpoint)}`;
  return `s3://${bucket}${prefix === undefined ? '' : `/${prefix}`}${at}`;
}
