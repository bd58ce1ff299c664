import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import { digestFile, type Digest } from '../durable.js';
import { FileHold } from '../file-hold.js';
import { naming } from '../file-errors.js';
import type { FileProvider, LatestPointer, StoredFile } from '../provider.js';
import { parseGlob, STAGING, stagingPath, storePath } from '../store-path.js';
import { ObjectReplaced, S3Bucket, type ObjectHead, type S3Place } from './bucket.js';
import { sharedCache, type CacheOptions, type FileCache, type HeldCopy } from './cache.js';
import { Downloads } from './downloads.js';
import { fileChunks } from './file-chunks.js';
import { pointLatestInS3 } from './latest.js';
import { abortUploads, otherBytes, PART, upload, type Upload } from './upload.js';

const ATTEMPTS = 20;

export interface S3FileProviderOptions extends S3Place {
  readonly cache: CacheOptions;
}

/**
 * A store of files in a bucket of S3, or of a server that speaks its protocol and knows conditional writes. Credentials come from the AWS
 * SDK's default chain. Nothing is contacted before the first use.
 */
export function s3FileProvider(options: S3FileProviderOptions): FileProvider {
  return new S3FileProvider(options);
}

class S3FileProvider implements FileProvider {
  readonly description: string;
  readonly #bucket: S3Bucket;
  readonly #cache: FileCache;
  readonly #downloads = new Downloads<Digest>();
  /** Of copies that were handed out where no {@link FileHold} ran. */
  readonly #held: (() => Promise<void>)[] = [];

  constructor({ cache, ...place }: S3FileProviderOptions) {
    this.#bucket = new S3Bucket(place);
    this.#cache = sharedCache(cache);
    this.description = this.#bucket.uri('');
  }

  uri(path: string): string {
    return this.#bucket.uri(path);
  }

  async check(): Promise<void> {
    const path = `${STAGING}/.check-${randomBytes(8).toString('hex')}`;
    const text = randomBytes(8).toString('hex');
    const expected = { bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') };
    const what: Upload = {
      ...{ path, expected, from: 'a check', onto: 'absent' },
      bytes: async function* () {
        yield Buffer.from(text);
      },
    };
    await upload(this.#bucket, what);
    try {
      if ((await this.#bucket.text(path)) !== text)
        throw new GranaryError(
          'ProviderUnreachable',
          `${this.description} does not give back what was written.`,
        );
      if ((await upload(this.#bucket, what)) !== undefined)
        throw new GranaryError(
          'ConfigurationMissing',
          `${this.#bucket.endpoint} ignores the condition If-None-Match: * of a write, without which versions are not safe in ${this.description}. Use a server with conditional writes.`,
        );
    } finally {
      await this.#bucket.remove([path]);
    }
  }

  async list(pattern: string): Promise<string[]> {
    const { base, matches } = parseGlob(pattern);
    const found: string[] = [];
    const add = (path: string): void => {
      if (isStorePath(path) && (matches?.(path) ?? true)) found.push(path);
    };
    if (!matches && base !== '' && (await this.#bucket.head(base))) found.push(base);
    const folder = base === '' ? '' : `${base}/`;
    const start = matches ? storePath(pattern).split('*', 1)[0] : folder;
    const flat =
      matches !== undefined && /^[^/]*$/.test(storePath(pattern).slice(folder.length).replace('**', '/'));
    for await (const path of this.#bucket.paths(start ?? '', flat)) add(path);
    return found.sort((a, b) => (a < b ? -1 : 1));
  }

  async stat(path: string): Promise<{ bytes: number; identity: string } | undefined> {
    const head = await this.#bucket.surelyHead(path);
    return head && { bytes: head.bytes, identity: head.identity };
  }

  async checksum(path: string): Promise<string> {
    return this.#unreplaced(path, async () => this.#sha256(path, await this.#bucket.mustHead(path)));
  }

  async localPath(path: string, options: { sha256?: string; signal?: AbortSignal } = {}): Promise<string> {
    const { sha256, signal } = options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const copy = await this.#unreplaced(path, () => this.#copy(path, sha256, signal));
      if (!copy) continue;
      if (!(await FileHold.keep(() => copy.release()))) this.#held.push(() => copy.release());
      return copy.path;
    }
    throw new GranaryError(
      'ResourcesExhausted',
      `The copy of ${this.uri(path)} was removed from the cache ${ATTEMPTS} times before it could be used: the cache is too small for all that share it. Raise cache.maxBytes of the binding or GRANARY_CACHE_BYTES.`,
    );
  }

  async readText(path: string): Promise<string | undefined> {
    return this.#bucket.text(path);
  }

  async stage(localPath: string, path: string, options: { signal?: AbortSignal } = {}): Promise<StoredFile> {
    const target = stagingPath(path);
    const digest = await naming(localPath, () => digestFile(localPath, options));
    const what: Upload = {
      ...{ path: target, expected: digest, from: localPath, signal: options.signal },
      bytes: () => fileChunks(localPath),
    };
    const etag = await upload(this.#bucket, what);
    if (etag !== undefined) await this.#noteWritten(target, etag, digest.sha256);
    else if (!(await this.#holds(target, digest.sha256)))
      throw new GranaryError(
        'ProviderUnreachable',
        `The upload of ${this.uri(target)} was aborted by somebody else. Trying again helps.`,
      );
    await this.#cache.adopt(localPath, digest);
    return { path: target, ...digest };
  }

  async publish(staged: StoredFile, to: string): Promise<'created' | 'present'> {
    const target = storePath(to);
    const source = storePath(staged.path);
    const what: Upload = {
      ...{ path: target, expected: staged, from: this.uri(source), onto: 'absent' },
      bytes: () => this.#bytes(source, staged),
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#holds(target, staged.sha256)) return this.#published(staged, target, 'present');
      try {
        const etag = await upload(this.#bucket, what);
        if (etag !== undefined) {
          await this.#noteWritten(target, etag, staged.sha256);
          return await this.#published(staged, target, 'created');
        }
      } catch (error) {
        // Another publisher was faster, and the staging is removed already.
        if (isMissing(error) && (await this.#holds(target, staged.sha256)))
          return await this.#published(staged, target, 'present');
        if (!(error instanceof ObjectReplaced)) throw error;
      }
      await sleep(Math.random() * Math.min(1000, 20 * 2 ** attempt));
    }
    throw new GranaryError(
      'ProviderUnreachable',
      `${this.uri(target)} could not be written in ${ATTEMPTS} attempts: other writers kept interfering. Trying again helps.`,
    );
  }

  async pointLatest(
    folder: string,
    pointer: LatestPointer,
    isNewest: () => Promise<boolean>,
  ): Promise<'moved' | 'unchanged' | 'superseded'> {
    const store = {
      bucket: this.#bucket,
      sha256: (path: string, head: ObjectHead) => this.#sha256(path, head),
      bytes: (path: string, expected: Digest) => this.#bytes(path, expected),
      put: async (what: Upload) => {
        const etag = await this.#unreplaced(what.from, () => upload(this.#bucket, what));
        if (etag !== undefined) await this.#noteWritten(what.path, etag, what.expected.sha256);
        return etag;
      },
    };
    const version = storePath(pointer.version);
    return pointLatestInS3(store, storePath(folder), { ...pointer, version }, isNewest);
  }

  async removeStaging(path: string): Promise<void> {
    const folder = stagingPath(path);
    const key = this.#bucket.key(folder);
    await abortUploads(this.#bucket, folder, (at) => at === key || at.startsWith(`${key}/`));
    const batch = [folder];
    for await (const found of this.#bucket.paths(`${folder}/`, false))
      if (batch.push(found) === 1000) await this.#bucket.remove(batch.splice(0));
    if (batch.length > 0) await this.#bucket.remove(batch);
  }

  async close(): Promise<void> {
    await Promise.all(this.#held.splice(0).map((release) => release()));
    await this.#bucket.close();
  }

  /** A held copy of an object; `undefined` when it was evicted between its arrival and its use. */
  async #copy(path: string, sha256: string | undefined, signal?: AbortSignal): Promise<HeldCopy | undefined> {
    const head = await this.#bucket.mustHead(path, signal);
    const verified = (found: string): string => {
      if (sha256 !== undefined && found !== sha256) throw otherBytes(this.uri(path), sha256, found);
      return found;
    };
    const known = await this.#cache.notes.get(this.#object(path, head));
    const held = known === undefined ? undefined : await this.#cache.hold(verified(known), path);
    if (held) return held;
    return this.#cache.hold(verified((await this.#download(path, head, signal)).sha256), path);
  }

  #download(path: string, head: ObjectHead, signal?: AbortSignal): Promise<Digest> {
    const object = this.#object(path, head);
    return this.#downloads.get(object, signal, async (at) => {
      const digest = await this.#cache.receive(head.bytes, this.uri(path), this.#bucket.read(path, head, at));
      await this.#cache.notes.set(object, digest.sha256);
      return digest;
    });
  }

  /** SHA-256 of this very object, by what is known of it, else by reading it: into the cache, for whoever asks will often read it next. */
  async #sha256(path: string, head: ObjectHead): Promise<string> {
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
  async #holds(path: string, sha256: string): Promise<boolean> {
    return this.#unreplaced(path, async () => {
      const head = await this.#bucket.head(path);
      if (!head) return false;
      const found = await this.#sha256(path, head);
      if (found !== sha256) throw otherBytes(this.uri(path), sha256, found);
      return true;
    });
  }

  /** The bytes of a stored file: from the cache where its object is known to have them, else as S3 sends them. */
  async *#bytes(path: string, expected: Digest): AsyncGenerator<Uint8Array> {
    const head = await this.#bucket.mustHead(path);
    if (head.bytes !== expected.bytes)
      throw otherBytes(this.uri(path), expected.sha256, `(${head.bytes} bytes, not ${expected.bytes})`);
    const known = await this.#cache.notes.get(this.#object(path, head));
    if (known !== undefined && known !== expected.sha256)
      throw otherBytes(this.uri(path), expected.sha256, known);
    const held = known === undefined ? undefined : await this.#cache.hold(known, path);
    try {
      yield* held ? fileChunks(held.path) : this.#bucket.read(path, head);
    } finally {
      await held?.release();
    }
  }

  /** Notes which bytes an object has that was just written here; S3 has checked their SHA-256 or those of their parts. */
  async #noteWritten(path: string, etag: string, sha256: string): Promise<void> {
    const head = await this.#bucket.head(path);
    if (head?.etag === etag) await this.#cache.notes.set(this.#object(path, head), sha256);
  }

  /** Aborts what killed publishers left of the parts of a file; a live one finds the whole file in its place. */
  async #published<T>(staged: StoredFile, path: string, outcome: T): Promise<T> {
    const key = this.#bucket.key(path);
    // They cost money and harm nobody: the next publisher may succeed in it.
    if (staged.bytes > PART)
      await abortUploads(this.#bucket, path, (at) => at === key).catch(() => undefined);
    return outcome;
  }

  #object(path: string, { identity }: ObjectHead): string {
    const { endpoint, name } = this.#bucket;
    return createHash('sha256')
      .update([endpoint, name, this.#bucket.key(path), identity].join('\n'))
      .digest('hex');
  }

  /** Does it again when the object was replaced meanwhile. */
  async #unreplaced<T>(path: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ObjectReplaced)) throw error;
      }
    throw new GranaryError('ProviderUnreachable', `${path} is replaced again and again while it is read.`);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof GranaryError && error.code === 'SourceMissing';

/** Whether an object's path is one of ours: not the mark of an empty folder, nor a name that no path can say. */
function isStorePath(path: string): boolean {
  return !path.split('/').some((part) => ['', '.', '..'].includes(part) || /[\0\\]/.test(part));
}
