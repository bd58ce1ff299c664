import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import type { Digest } from '../durable.js';
import { latestJson } from '../latest-pointer.js';
import type { LatestPointer } from '../provider.js';
import type { ObjectHead, S3Bucket } from './bucket.js';
import { ObjectReplaced } from './bucket.js';
import type { Upload } from './write.js';

const ATTEMPTS = 60;
/** The object's metadata that says for which pointer it was written. */
const POINTER = 'granary-pointer';

/** What pointing needs of the store. */
export interface LatestStore {
  readonly bucket: S3Bucket;
  /** SHA-256 of an object's bytes. */
  sha256(path: string, head: ObjectHead): Promise<string>;
  /** The bytes of a stored file. */
  bytes(path: string, expected: Digest): AsyncIterable<Uint8Array>;
  /** Writes an object; its ETag, or `undefined` where the condition did not hold. */
  put(what: Upload): Promise<string | undefined>;
}

type Target = Pick<Upload, 'path' | 'bytes' | 'expected' | 'from'>;

/**
 * Writes `latest.json`, then copies of a version's files in `latest/`, each only onto the object that was there *before* the registry was
 * asked whether this version is the newest. A writer that slept after it asked finds another object, for a newer version's writer
 * replaces all of them, also those whose bytes stay the same, by objects with other ETags. So it starts over, asks again, and is told.
 *
 * That leaves one case, in which a newer version and the one after it were both pointed to meanwhile and the last one's bytes are
 * again those that the sleeper saw. It then writes one object too many, but asks once more before the next and at the end, and
 * answers `superseded`: its caller points to the newest version, which repairs it, as does any later call.
 */
export async function pointLatestInS3(
  store: LatestStore,
  folder: string,
  pointer: LatestPointer,
  isNewest: () => Promise<boolean>,
): Promise<'moved' | 'unchanged' | 'superseded'> {
  const { bucket } = store;
  const json = latestJson(pointer);
  const marker = sha(json);
  const targets = targetsOf(store, folder, pointer, json);
  let moved = false;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stale: { target: Target; head: ObjectHead | undefined }[] = [];
    for (const target of targets) {
      const head = await bucket.head(target.path);
      if (!(await isCurrent(store, target, head, marker))) stale.push({ target, head });
    }
    if (stale.length === 0) return !moved ? 'unchanged' : (await isNewest()) ? 'moved' : 'superseded';
    // Late writers of old versions end here; the question before each write is the one that counts.
    if (!moved && !(await isNewest())) return 'superseded';
    let isRefused = false;
    for (const { target, head } of stale) {
      if (!(await isNewest())) return 'superseded';
      isRefused = !(await replace(store, target, head, marker));
      if (isRefused) break;
      moved = true;
    }
    // What was written is looked at once more: a server may hold a condition less strictly than it should.
    if (isRefused) await sleep(Math.random() * Math.min(1000, 20 * 2 ** attempt));
  }
  throw new GranaryError(
    'ProviderUnreachable',
    `${bucket.uri(`${folder}/latest.json`)} could not be replaced in ${ATTEMPTS} attempts: other writers kept interfering. Trying again helps.`,
  );
}

function targetsOf(store: LatestStore, folder: string, pointer: LatestPointer, json: string): Target[] {
  const text = Buffer.from(json);
  const path = `${folder}/latest.json`;
  const files = pointer.files.map((file): Target => {
    const from = `${folder}/${pointer.version}/${file.path}`;
    return {
      path: `${folder}/latest/${file.path}`,
      expected: file,
      from: store.bucket.uri(from),
      bytes: () => store.bytes(from, file),
    };
  });
  // The file with the checksums of the others comes last: once it is there, the set is whole.
  const isLast = ({ path }: Target): number => (path.endsWith('/metadata.json') ? 1 : 0);
  return [
    {
      path,
      expected: { bytes: text.length, sha256: sha(json) },
      from: store.bucket.uri(path),
      bytes: async function* () {
        yield text;
      },
    },
    ...files.sort((a, b) => isLast(a) - isLast(b)),
  ];
}

async function isCurrent(
  store: LatestStore,
  { path, expected }: Target,
  head: ObjectHead | undefined,
  marker: string,
): Promise<boolean> {
  if (head?.bytes !== expected.bytes || head.metadata[POINTER] !== marker) return false;
  try {
    return (await store.sha256(path, head)) === expected.sha256;
  } catch (error) {
    if (error instanceof ObjectReplaced) return false;
    throw error;
  }
}

/** Replaces the object by another one with another ETag; false when somebody else was faster. */
async function replace(
  store: LatestStore,
  target: Target,
  head: ObjectHead | undefined,
  marker: string,
): Promise<boolean> {
  const what: Upload = { ...target, onto: head ?? 'absent', metadata: { [POINTER]: marker } };
  const etag = await store.put(what);
  if (etag === undefined) return false;
  // The same bytes, cut in the same way, have the same ETag: whoever saw the old object could not tell.
  if (head?.etag !== etag || head.bytes === 0) return true;
  return (await store.put({ ...what, form: 2 })) !== undefined;
}

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
