import { createHash } from 'node:crypto';
import { GranaryError } from '../../../definitions/errors.js';
import type { Digest } from '../durable.js';
import type { ObjectHead } from './bucket.js';
import { isAbsent, isRefused } from './errors.js';

/** A write of an object: what, onto what. */
export interface Upload {
  readonly path: string;
  /** The bytes, anew at each call, and whether they are these: nothing is stored when they are not. */
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

/** The condition of a write did not hold. */
export class Refused extends Error {}

export const condition = ({ onto }: Upload): { IfNoneMatch?: string; IfMatch?: string } =>
  onto === undefined ? {} : onto === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: onto.etag };

/** What a failed write means. An object that `onto` names and that is gone is refused with "not found". */
export const refusal = (what: Upload, error: unknown): unknown =>
  what.onto !== undefined && (isRefused(error) || (typeof what.onto === 'object' && isAbsent(error)))
    ? new Refused()
    : error;

/** What an object's metadata say of it. */
export const describe = ({ expected, metadata }: Upload): Record<string, string> => ({
  'granary-sha256': expected.sha256,
  ...metadata,
});

/** The bytes as they come, the last of them only once it is certain that all are those expected. */
export async function* verified({ bytes, expected, from }: Upload): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let held: Uint8Array | undefined;
  for await (const chunk of bytes()) {
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  const found = hash.digest('hex');
  if (found !== expected.sha256) throw otherBytes(from, expected.sha256, found);
  if (held) yield held;
}

/** The error of bytes that are not those that were recorded. */
export function otherBytes(place: string, expected: string, found: string): GranaryError {
  return new GranaryError(
    'ChecksumMismatch',
    `${place} has the SHA-256 ${found}, but ${expected} was recorded: its bytes were changed.`,
    { details: { path: place, expected, found } },
  );
}
