import { createHash } from 'node:crypto';
import { GranaryError } from '../../../definitions/errors.js';
import type { Digest } from '../durable.js';
import { ObjectReplaced, type ObjectHead, type S3Bucket } from './bucket.js';
import type { FileCache, HeldCopy } from './cache.js';
import { Downloads } from './downloads.js';
import { fileChunks } from './file-chunks.js';
import { otherBytes } from './write.js';

const ATTEMPTS = 20;

/** What the objects of a bucket contain: their bytes and checksums, by what the cache knows of them, else as S3 sends them. */
export class ObjectContents {
  readonly #bucket: S3Bucket;
  readonly #cache: FileCache;
  readonly #downloads = new Downloads<Digest>();

  constructor(bucket: S3Bucket, cache: FileCache) {
    this.#bucket = bucket;
    this.#cache = cache;
  }

  /** A copy that is held, of these bytes where they are given. */
  async copy(path: string, sha256: string | undefined, signal?: AbortSignal): Promise<HeldCopy> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const copy = await this.unreplaced(path, () => this.#copyOnce(path, sha256, signal));
      if (copy) return copy;
    }
    throw new GranaryError(
      'ResourcesExhausted',
      `The copy of ${this.#bucket.uri(path)} was removed from the cache ${ATTEMPTS} times before it could be used: the cache is too small for all that share it. Raise cache.maxBytes of the binding or GRANARY_CACHE_BYTES.`,
    );
  }

  /** `undefined` when it was evicted between its arrival and its use. */
  async #copyOnce(
    path: string,
    sha256: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HeldCopy | undefined> {
    const head = await this.#bucket.mustHead(path, signal);
    const verified = (found: string): string => {
      if (sha256 !== undefined && found !== sha256) throw otherBytes(this.#bucket.uri(path), sha256, found);
      return found;
    };
    const known = await this.#cache.notes.get(this.#object(path, head));
    const held = known === undefined ? undefined : await this.#cache.hold(verified(known), path);
    if (held) return held;
    return this.#cache.hold(verified((await this.#download(path, head, signal)).sha256), path);
  }

  /** SHA-256 of this very object. Where it must be read, it goes into the cache: who asks will often read it next. */
  async sha256(path: string, head: ObjectHead): Promise<string> {
    const object = this.#object(path, head);
    const known = await this.#cache.notes.get(object);
    if (known !== undefined) return known;
    try {
      return (await this.#download(path, head)).sha256;
    } catch (error) {
      if (!(error instanceof GranaryError && error.code === 'ResourcesExhausted')) throw error;
    }
    const hash = createHash('sha256');
    for await (const chunk of this.#bucket.read(path, head)) hash.update(chunk);
    const sha256 = hash.digest('hex');
    await this.#cache.notes.set(object, sha256);
    return sha256;
  }

  /** Whether there is an object with these bytes; other bytes are an error. */
  async holds(path: string, sha256: string): Promise<boolean> {
    return this.unreplaced(path, async () => {
      const head = await this.#bucket.head(path);
      if (!head) return false;
      const found = await this.sha256(path, head);
      if (found !== sha256) throw otherBytes(this.#bucket.uri(path), sha256, found);
      return true;
    });
  }

  /** The bytes of an object of this size. They are not verified: whoever takes them does so. */
  async *bytes(path: string, expected: Digest): AsyncGenerator<Uint8Array> {
    const uri = this.#bucket.uri(path);
    const head = await this.#bucket.mustHead(path);
    if (head.bytes !== expected.bytes)
      throw otherBytes(uri, expected.sha256, `of ${head.bytes} bytes, not ${expected.bytes}`);
    const known = await this.#cache.notes.get(this.#object(path, head));
    if (known !== undefined && known !== expected.sha256) throw otherBytes(uri, expected.sha256, known);
    const held = known === undefined ? undefined : await this.#cache.hold(known, path);
    try {
      yield* held ? fileChunks(held.path) : this.#bucket.read(path, head);
    } finally {
      await held?.release();
    }
  }

  /** Notes which bytes an object has that was just written here; S3 has checked their SHA-256 or those of their parts. */
  async noteWritten(path: string, etag: string, sha256: string): Promise<void> {
    const head = await this.#bucket.head(path);
    if (head?.etag === etag) await this.#cache.notes.set(this.#object(path, head), sha256);
  }

  /** Does it again when the object was replaced meanwhile. */
  async unreplaced<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ObjectReplaced)) throw error;
      }
    throw new GranaryError('ProviderUnreachable', `${what} is replaced again and again while it is read.`);
  }

  #download(path: string, head: ObjectHead, signal?: AbortSignal): Promise<Digest> {
    const object = this.#object(path, head);
    return this.#downloads.get(object, signal, async (at) => {
      const bytes = this.#bucket.read(path, head, at);
      const digest = await this.#cache.receive(head.bytes, this.#bucket.uri(path), bytes);
      await this.#cache.notes.set(object, digest.sha256);
      return digest;
    });
  }

  #object(path: string, { identity }: ObjectHead): string {
    const { endpoint, name } = this.#bucket;
    return createHash('sha256')
      .update([endpoint, name, this.#bucket.key(path), identity].join('\n'))
      .digest('hex');
  }
}
