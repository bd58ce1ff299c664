import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import { digestFile, type Digest } from '../durable.js';
import { FileHold } from '../file-hold.js';
import { naming } from '../file-errors.js';
import type { FileProvider, LatestPointer, StoredFile } from '../provider.js';
import { parseGlob, removablePath, stagingPath, storePath } from '../store-path.js';
import { ObjectReplaced, S3Bucket, type ObjectHead, type S3Place } from './bucket.js';
import { sharedCache, type CacheOptions, type FileCache } from './cache.js';
import { ObjectContents } from './contents.js';
import { fileChunks } from './file-chunks.js';
import { pointLatestInS3 } from './latest.js';
import { probe } from './probe.js';
import { abortUploads } from './put-parts.js';
import { updateInS3 } from './update.js';
import { upload } from './upload.js';
import type { Upload } from './write.js';

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
  readonly endpoint: string | undefined;
  readonly #bucket: S3Bucket;
  readonly #cache: FileCache;
  readonly #contents: ObjectContents;
  /** Of copies that were handed out where no {@link FileHold} ran. */
  readonly #held: (() => Promise<void>)[] = [];
  #known: Promise<void> | undefined;

  constructor({ cache, ...place }: S3FileProviderOptions) {
    this.#bucket = new S3Bucket(place);
    this.#cache = sharedCache(cache);
    this.#contents = new ObjectContents(this.#bucket, this.#cache);
    this.description = this.#bucket.uri('');
    this.endpoint = place.endpoint;
  }

  uri(path: string): string {
    return this.#bucket.uri(path);
  }

  async check(): Promise<void> {
    await probe(this.#bucket);
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
    return this.#contents.unreplaced(this.uri(path), async () =>
      this.#contents.sha256(path, await this.#bucket.mustHead(path)),
    );
  }

  async localPath(path: string, options: { sha256?: string; signal?: AbortSignal } = {}): Promise<string> {
    const copy = await this.#contents.copy(path, options.sha256, options.signal);
    const release = (): Promise<void> => copy.release();
    if (!(await FileHold.keep(release))) this.#held.push(release);
    return copy.path;
  }

  async readText(path: string): Promise<string | undefined> {
    return this.#bucket.text(path);
  }

  async update(
    path: string,
    change: (bytes: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
  ): Promise<'written' | 'unchanged'> {
    const target = storePath(path);
    await this.#knowsConditions();
    return updateInS3(this.#bucket, target, change);
  }

  async stage(localPath: string, path: string, options: { signal?: AbortSignal } = {}): Promise<StoredFile> {
    const target = stagingPath(path);
    const digest = await naming(localPath, () => digestFile(localPath, options));
    const what: Upload = {
      ...{ path: target, expected: digest, from: localPath, signal: options.signal },
      bytes: () => fileChunks(localPath),
    };
    const etag = await upload(this.#bucket, what);
    if (etag !== undefined) await this.#contents.noteWritten(target, etag, digest.sha256);
    else if (!(await this.#contents.holds(target, digest.sha256)))
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
    await this.#knowsConditions();
    const what: Upload = {
      ...{ path: target, expected: staged, from: this.uri(source), onto: 'absent' },
      bytes: () => this.#contents.bytes(source, staged),
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#contents.holds(target, staged.sha256)) return 'present';
      try {
        const etag = await upload(this.#bucket, what);
        if (etag !== undefined) {
          await this.#contents.noteWritten(target, etag, staged.sha256);
          return 'created';
        }
      } catch (error) {
        // Another publisher was faster, and the staging is removed already.
        if (isMissing(error) && (await this.#contents.holds(target, staged.sha256))) return 'present';
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
      sha256: (path: string, head: ObjectHead) => this.#contents.sha256(path, head),
      bytes: (path: string, expected: Digest) => this.#contents.bytes(path, expected),
      put: async (what: Upload) => {
        const etag = await this.#contents.unreplaced(what.from, () => upload(this.#bucket, what));
        if (etag !== undefined) await this.#contents.noteWritten(what.path, etag, what.expected.sha256);
        return etag;
      },
    };
    const version = storePath(pointer.version);
    await this.#knowsConditions();
    return pointLatestInS3(store, storePath(folder), { ...pointer, version }, isNewest);
  }

  async removeStaging(path: string): Promise<void> {
    await this.#removeAll(stagingPath(path));
  }

  async remove(path: string): Promise<void> {
    await this.#removeAll(removablePath(path));
  }

  async #removeAll(folder: string): Promise<void> {
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

  /** Before the first write that counts on a condition: that the server knows conditions. */
  async #knowsConditions(): Promise<void> {
    this.#known ??= probe(this.#bucket).catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    await this.#known;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof GranaryError && error.code === 'SourceMissing';

/** Whether an object's path is one of ours: not the mark of an empty folder, nor a name that no path can say. */
function isStorePath(path: string): boolean {
  return !path.split('/').some((part) => ['', '.', '..'].includes(part) || /[\0\\]/.test(part));
}
