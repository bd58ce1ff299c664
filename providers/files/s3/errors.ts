import { GranaryError, messageOf } from '../../../definitions/errors.js';

/** What an S3 error says of itself; empty for anything else. */
interface Said {
  readonly name: string;
  readonly status: number;
  /** The code of a network or TLS error of Node. */
  readonly code: string;
}

function said(error: unknown): Said {
  const { name, code, $metadata } = (error ?? {}) as {
    name?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  return {
    name: typeof name === 'string' ? name : '',
    code: typeof code === 'string' ? code : '',
    status: $metadata?.httpStatusCode ?? 0,
  };
}

/** Whether there is no such object. A HEAD cannot tell that from a missing bucket. */
export function isAbsent(error: unknown): boolean {
  const { name, status } = said(error);
  return status === 404 && ['NoSuchKey', 'NotFound', 'Unknown'].includes(name);
}

/** Whether an answer refuses without saying why. */
export function isUnexplained(error: unknown): boolean {
  const { name, status } = said(error);
  return status >= 300 && status < 500 && !/[A-Z][a-z]+[A-Z]/.test(name);
}

/** Whether a condition did not hold, or another write of the same key was under way. */
export function isRefused(error: unknown): boolean {
  const { name, status } = said(error);
  return status === 412 || name === 'ConditionalRequestConflict' || name === 'OperationAborted';
}

/** Whether a multipart upload is no longer there: completed or aborted, here or by somebody else. */
export const isUploadGone = (error: unknown): boolean => said(error).name === 'NoSuchUpload';

const UNREACHABLE = ['TimeoutError', 'SlowDown', 'RequestTimeout', 'IncompleteBody'];
const NETWORK =
  /^(E(CONN|AI_|HOST|NET|PIPE|TIMEDOUT|NOTFOUND|ADDRNOTAVAIL)|ETIMEDOUT|ENOTFOUND|EPIPE|ERR_STREAM_PREMATURE)/;
const TLS = /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO)/;
const KEYS = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'XAdminUserNotFound',
];
const REGION = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'];

/**
 * An error of S3 or of the way to it as a GranaryError that names the place and the remedy. What is no such error
 * (a GranaryError, a cancellation) stays as it is.
 */
export function s3Error(error: unknown, place: { readonly uri: string; readonly endpoint: string }): unknown {
  if (error instanceof GranaryError || !(error instanceof Error) || error.name === 'AbortError') return error;
  const { name, status, code } = said(error);
  const { uri, endpoint } = place;
  const as = (to: ConstructorParameters<typeof GranaryError>[0], message: string): GranaryError =>
    new GranaryError(to, message, { details: { uri, endpoint, name, status }, cause: error });

  if (name === 'NoSuchBucket' || name === 'InvalidBucketName')
    return as(
      'ConfigurationMissing',
      `There is no bucket for ${uri} at ${endpoint}. Make it, or correct the binding's bucket, region or endpoint.`,
    );
  if (name === 'CredentialsProviderError' || /credential/i.test(name))
    return as(
      'ConfigurationMissing',
      `There are no credentials for ${uri}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role where the worker runs: ${messageOf(error)}`,
    );
  if (/region is missing/i.test(messageOf(error)))
    return as(
      'ConfigurationMissing',
      `There is no region for ${uri}. Write region: 'eu-central-1' in the binding, or set AWS_REGION.`,
    );
  if (KEYS.includes(name))
    return as(
      'ConfigurationMissing',
      `${endpoint} refuses the credentials for ${uri} (${name}). Correct or renew the keys where the worker runs.`,
    );
  if (REGION.includes(name) || status === 301)
    return as(
      'ConfigurationMissing',
      `The bucket of ${uri} is in another region (${name}). Correct the binding's region or AWS_REGION.`,
    );
  if (/QuotaExceeded|StorageFull|InsufficientStorage/.test(name) || status === 507)
    return as('ResourcesExhausted', `${endpoint} has no space left for ${uri} (${name}). Free some.`);
  if (['BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch'].includes(name))
    return as(
      'ChecksumMismatch',
      `${endpoint} refuses ${uri}: other bytes arrived than were sent (${name}).`,
    );
  if (/^checksum mismatch/i.test(messageOf(error)))
    return as('ChecksumMismatch', `The bytes of ${uri} are not those whose checksum ${endpoint} recorded.`);
  if (name === 'RequestTimeTooSkewed')
    return as('ConfigurationMissing', `This machine's clock is wrong, says ${endpoint}. Set it.`);
  if (name === 'NotImplemented' || status === 501)
    return as(
      'ConfigurationMissing',
      `${endpoint} does not know a request that Granary needs for ${uri}: ${messageOf(error)}. Use a server with conditional writes and multipart uploads.`,
    );
  if (UNREACHABLE.includes(name) || status >= 500 || status === 429 || NETWORK.test(code))
    return as(
      'ProviderUnreachable',
      `${endpoint} does not answer for ${uri} (${[name, code, status === 0 ? '' : `HTTP ${status}`].filter((text) => !['', 'Error', 'Unknown'].includes(text)).join(', ')}). Start it, or correct the binding's endpoint.`,
    );
  if (TLS.test(code))
    return as(
      'ConfigurationMissing',
      `No safe connection to ${endpoint} (${code}). Correct the endpoint's scheme, or give the worker its certificate (NODE_EXTRA_CA_CERTS).`,
    );
  if (status === 401 || status === 403)
    return as(
      'ConfigurationMissing',
      `${endpoint} denies ${uri} (${status}${name === 'AccessDenied' ? ', AccessDenied' : ''}). Give the worker's credentials the permissions of docs/storage.md: list the bucket, get, put and delete its objects, list and abort multipart uploads.`,
    );
  if (isAbsent(error)) return as('SourceMissing', `There is no object ${uri}.`);
  return status === 0 && code === ''
    ? error
    : as('Internal', `${endpoint} failed for ${uri}: ${name} ${status || code}: ${messageOf(error)}`);
}
