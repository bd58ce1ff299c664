import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GranaryError } from '../../../definitions/errors.js';
import { ChecksumCache } from '../checksum-cache.js';
import type { Digest } from '../durable.js';
import { fsCode, naming } from '../file-errors.js';
import { ObjectNotes } from './notes.js';
import { makeOwnFolder, sweepOwnFolders } from '../../own-folder.js';

const PARTIAL = '.partial';

export interface CacheOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** Whether the folder must belong to this user: its name can be guessed, and everybody may write beside it. */
  readonly isPrivate?: boolean;
}

/** A copy that is held: it stays at its path until it is released. */
export interface HeldCopy {
  readonly path: string;
  release(): Promise<void>;
}

/**
 * Copies of objects on this machine's disk, by the SHA-256 of their bytes, bounded: whatever was not used for longest goes first. Any number
 * of processes may share the folder.
 *
 * ```
 * files/<sha256>              a copy
 * objects/<hash>              the SHA-256 of an object as it was when it was read
 * processes/<host>@<pid>-.../ of one process: hard links to the copies that it uses, downloads under way
 * ```
 *
 * A link in use keeps the bytes, and tells other processes (by the file's number of links) to leave the copy alone. What a killed process
 * leaves is in its own folder, which the next one removes.
 */
export class FileCache {
  readonly notes: ObjectNotes;
  readonly #folder: string;
  readonly #options: CacheOptions;
  readonly #checksums = new ChecksumCache();
  #own: Promise<string> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.notes = new ObjectNotes(join(options.folder, 'objects'), () => this.#ownFolder());
  }

  /** A link to the copy of these bytes, named as the file; `undefined` where there is none. A damaged copy is removed. */
  async hold(sha256: string, name: string): Promise<HeldCopy | undefined> {
    return naming(this.#folder, async () => {
      const own = await this.#ownFolder();
      const copy = this.#copy(sha256);
      const digest = await this.#checksums.digest(copy).catch(absent);
      if (digest && digest.sha256 !== sha256) await rm(copy, { force: true });
      if (digest?.sha256 !== sha256) return undefined;
      // The name's end is kept: engines tell compressed files by it.
      const path = join(own, `${this.#count++}-${basename(name).slice(-100)}`);
      try {
        await link(copy, path);
      } catch (error) {
        return absent(error);
      }
      return { path, release: () => rm(path, { force: true }) };
    });
  }

  /**
   * Takes in what `bytes` gives and tells what it was.
   * @throws GranaryError `ResourcesExhausted` when the bound or the disk leaves no room.
   */
  async receive(size: number, what: string, bytes: AsyncIterable<Uint8Array>): Promise<Digest> {
    const own = await naming(this.#folder, () => this.#ownFolder());
    const partial = join(own, `${randomUUID()}${PARTIAL}`);
    try {
      const handle = await this.#exclusive(async () => {
        await this.#makeRoom(size, what);
        return naming(partial, async () => {
          const opened = await open(partial, 'wx');
          // At once as large as it will be, so that others count it; the disk gives room only as bytes arrive.
          await opened.truncate(size);
          return opened;
        });
      });
      const hash = createHash('sha256');
      let received = 0;
      try {
        for await (const chunk of bytes) {
          hash.update(chunk);
          received += chunk.length;
          await naming(partial, () => handle.writeFile(chunk));
        }
      } finally {
        await handle.close();
      }
      const digest = { bytes: received, sha256: hash.digest('hex') };
      await this.#keep(partial, digest);
      return digest;
    } catch (error) {
      await rm(partial, { force: true });
      // A disk fuller than the bound supposes: the next attempt shall find room.
      if (error instanceof GranaryError && error.code === 'ResourcesExhausted')
        await this.#exclusive(() => this.#evict(Infinity)).catch(() => undefined);
      throw error;
    }
  }

  /** Moves a local file whose bytes are known into the cache where that is cheap, and removes it otherwise. */
  async adopt(path: string, digest: Digest): Promise<void> {
    try {
      await this.#exclusive(() => this.#makeRoom(digest.bytes, path));
      await this.#keep(path, digest);
    } catch {
      // Another disk, or no room: the bytes are safe in the store, here they were a convenience.
      await naming(path, () => rm(path, { force: true }));
    }
  }

  async #keep(path: string, digest: Digest): Promise<void> {
    const copy = this.#copy(digest.sha256);
    await naming(copy, async () => {
      await this.#ownFolder();
      await rename(path, copy);
      await this.#checksums.learn(copy, digest);
    });
  }

  #copy(sha256: string): string {
    return join(this.#folder, 'files', sha256);
  }

  /** Makes the folders once, and removes what dead processes left. */
  #ownFolder(): Promise<string> {
    this.#own ??= this.#open().catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    });
    return this.#own;
  }

  async #open(): Promise<string> {
    const { isPrivate = false } = this.#options;
    const processes = join(this.#folder, 'processes');
    await mkdir(this.#folder, { recursive: true, ...(isPrivate ? { mode: 0o700 } : {}) });
    const owner = (await stat(this.#folder)).uid;
    if (isPrivate && process.getuid !== undefined && owner !== process.getuid())
      throw new GranaryError(
        'ConfigurationMissing',
        `The folder ${this.#folder} for copies of S3 objects belongs to another user. Remove it, or set GRANARY_CACHE_FOLDER to a folder of your own.`,
      );
    for (const name of ['files', 'objects', 'processes'])
      await mkdir(join(this.#folder, name), { recursive: true });
    await sweepOwnFolders(processes);
    return makeOwnFolder(processes);
  }

  /** One at a time in this process: room that was made for one download must not be given to another. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #makeRoom(size: number, what: string): Promise<void> {
    const { maxBytes } = this.#options;
    await naming(this.#folder, () => this.#ownFolder());
    const over = (await this.#occupied()) + size - maxBytes;
    if (over <= 0) return;
    if (size <= maxBytes && (await this.#evict(over)) >= over) return;
    throw new GranaryError(
      'ResourcesExhausted',
      `The cache in ${this.#folder} may hold ${mib(maxBytes)}, and leaves no room for ${mib(size)} of ${what} beside the files that are in use. Raise cache.maxBytes of the binding or GRANARY_CACHE_BYTES.`,
      { details: { folder: this.#folder, maxBytes, size } },
    );
  }

  async #occupied(): Promise<number> {
    let sum = 0;
    for (const { size } of await sizes(join(this.#folder, 'files'))) sum += size;
    const processes = join(this.#folder, 'processes');
    for (const name of await readdir(processes))
      for (const file of await sizes(join(processes, name)))
        if (file.name.endsWith(PARTIAL)) sum += file.size;
    return sum;
  }

  /** Removes copies that nobody uses, those first whose last use is longest ago, until so many bytes are free. */
  async #evict(bytes: number): Promise<number> {
    const files = join(this.#folder, 'files');
    let freed = 0;
    // Linking a copy and removing the link set the time of its inode's last change: the last use.
    const unused = (await sizes(files)).filter(({ links }) => links === 1).sort((a, b) => a.used - b.used);
    for (const { name, size } of unused) {
      if (freed >= bytes) break;
      await rm(join(files, name), { force: true });
      freed += size;
    }
    return freed;
  }
}

/** One cache a folder in this process, so that its room is given out once. */
export function sharedCache(options: CacheOptions): FileCache {
  const name = JSON.stringify([options.folder, options.maxBytes]);
  const cache = caches.get(name) ?? new FileCache(options);
  caches.set(name, cache);
  return cache;
}

const caches = new Map<string, FileCache>();

async function sizes(folder: string): Promise<{ name: string; size: number; used: number; links: number }[]> {
  const found = [];
  for (const name of await readdir(folder).catch((error: unknown) => absent(error) ?? [])) {
    const stats = await stat(join(folder, name)).catch(absent);
    if (stats?.isFile()) found.push({ name, size: stats.size, used: stats.ctimeMs, links: stats.nlink });
  }
  return found;
}

const mib = (bytes: number): string =>
  `${(bytes / 2 ** 20).toLocaleString('en', { maximumFractionDigits: 1 })} MiB`;

function absent(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes(fsCode(error))) throw error;
  return undefined;
}
