import { randomBytes } from 'node:crypto';
import {
  link,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GranaryError } from '../../definitions/errors.js';
import { ChecksumCache, identityOf } from './checksum-cache.js';
import { digestFile, isTemporary, makeFolder, syncFile, syncFolder, temporaryPath } from './durable.js';
import { fileError, fsCode, naming } from './file-errors.js';
import { latestJson } from './latest-pointer.js';
import { pointLatestOnDisk } from './local-latest.js';
import { isGeneration, updateOnDisk } from './local-update.js';
import type { FileProvider, LatestPointer, StoredFile } from './provider.js';
import { parseGlob, removablePath, stagingPath, storePath } from './store-path.js';

/**
 * A store of files in a folder of this machine, or one that several machines mount. `root` is made when it is absent; a
 * relative one counts from the working directory. The file system must have hard and symbolic links and list a folder as
 * it is (a network file system with its attribute cache off).
 */
export function localFileProvider(options: { readonly root: string }): FileProvider {
  return new LocalFileProvider(resolve(options.root));
}

class LocalFileProvider implements FileProvider {
  readonly description: string;
  readonly #root: string;
  readonly #checksums = new ChecksumCache();

  constructor(root: string) {
    this.#root = root;
    this.description = `folder ${root}`;
  }

  uri(path: string): string {
    return pathToFileURL(this.#absolute(path)).href;
  }

  async check(): Promise<void> {
    await naming(this.#root, async () => {
      await mkdir(this.#root, { recursive: true });
      const probe = temporaryPath(join(this.#root, 'check'));
      const text = randomBytes(8).toString('hex');
      try {
        await writeFile(probe, text, { flag: 'wx' });
        if ((await readFile(probe, 'utf8')) !== text)
          throw new GranaryError(
            'ProviderUnreachable',
            `${this.description} does not give back what was written.`,
          );
      } finally {
        await rm(probe, { force: true });
      }
    });
  }

  async list(pattern: string): Promise<string[]> {
    const { base, matches } = parseGlob(pattern);
    const start = this.#absolute(base);
    const found: string[] = [];
    await naming(start, async () => {
      const stats = await stat(start).catch(absent);
      if (stats?.isFile()) found.push(base);
      else if (stats) await this.#walk(base, new Set(), found);
    });
    return found.filter((path) => matches?.(path) ?? true).sort((a, b) => (a < b ? -1 : 1));
  }

  async stat(path: string): Promise<{ bytes: number; identity: string } | undefined> {
    const absolute = this.#absolute(path);
    const stats = await naming(absolute, () => stat(absolute, { bigint: true }).catch(absent));
    return stats?.isFile() ? { bytes: Number(stats.size), identity: identityOf(stats) } : undefined;
  }

  async checksum(path: string): Promise<string> {
    const absolute = this.#absolute(path);
    return (await naming(absolute, () => this.#checksums.digest(absolute))).sha256;
  }

  async localPath(path: string, options: { sha256?: string; signal?: AbortSignal } = {}): Promise<string> {
    const absolute = this.#absolute(path);
    return naming(absolute, async () => {
      if (options.sha256 === undefined) await stat(absolute);
      else {
        const { sha256 } = await this.#checksums.digest(absolute, options.signal);
        if (sha256 !== options.sha256) throw changed(absolute, options.sha256, sha256);
      }
      return absolute;
    });
  }

  async readText(path: string): Promise<string | undefined> {
    const absolute = this.#absolute(path);
    return naming(absolute, () => readFile(absolute, 'utf8').catch(absent));
  }

  async update(
    path: string,
    change: (bytes: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
  ): Promise<'written' | 'unchanged'> {
    const absolute = this.#absolute(path);
    return naming(absolute, async () => {
      await makeFolder(this.#root, dirname(absolute));
      return updateOnDisk(absolute, change);
    });
  }

  async stage(localPath: string, path: string, options: { signal?: AbortSignal } = {}): Promise<StoredFile> {
    const target = this.#absolute(stagingPath(path));
    const digest = await naming(localPath, () => digestFile(localPath, options));
    return naming(target, async () => {
      await makeFolder(this.#root, dirname(target));
      await syncFile(localPath);
      try {
        await rename(localPath, target);
      } catch (error) {
        if (fsCode(error) !== 'EXDEV') throw error;
        await this.#copyAcross(localPath, target, digest.sha256, options.signal);
      }
      await syncFolder(dirname(target));
      return { path: storePath(path), ...digest };
    });
  }

  async publish(staged: StoredFile, to: string): Promise<'created' | 'present'> {
    const target = this.#absolute(to);
    const source = this.#absolute(staged.path);
    const folder = dirname(target);
    return naming(target, async () => {
      await makeFolder(this.#root, folder);
      const temporary = temporaryPath(target);
      let created = false;
      try {
        if (!(await this.#holds(target, staged.sha256))) {
          const { sha256 } = await digestFile(source, { copyTo: temporary }).catch((error: unknown) => {
            throw fsCode(error) === 'ENOENT' ? fileError(error, source) : error;
          });
          if (sha256 !== staged.sha256) throw changed(source, staged.sha256, sha256);
          // Unlike a rename, a link never replaces: whoever comes first stays, whole.
          await link(temporary, target);
          created = true;
        }
      } catch (error) {
        // Another publisher was faster: it has linked its copy, removed the staging or our temporary file.
        const overtaken = ['EEXIST', 'ENOENT'].includes(fsCode(error)) || isMissing(error);
        if (!overtaken || !(await this.#holds(target, staged.sha256))) throw error;
      } finally {
        await rm(temporary, { force: true });
      }
      await this.#removeLeftovers(folder, basename(target));
      await syncFile(target);
      await syncFolder(folder);
      return created ? 'created' : 'present';
    });
  }

  async pointLatest(
    folder: string,
    pointer: LatestPointer,
    isNewest: () => Promise<boolean>,
  ): Promise<'moved' | 'unchanged' | 'superseded'> {
    const absolute = this.#absolute(folder);
    const version = storePath(pointer.version);
    await naming(absolute, () => makeFolder(this.#root, absolute));
    try {
      return await pointLatestOnDisk(absolute, version, latestJson(pointer), isNewest);
    } catch (error) {
      throw fileError(error, join(absolute, 'latest'));
    }
  }

  async removeStaging(path: string): Promise<void> {
    const absolute = this.#absolute(stagingPath(path));
    await naming(absolute, () => rm(absolute, { recursive: true, force: true }));
  }

  async remove(path: string): Promise<void> {
    const clean = removablePath(path);
    const absolute = this.#absolute(clean);
    // A link goes without what it points to.
    await naming(absolute, () => rm(absolute, { recursive: true, force: true }));
    if (!clean.includes('/')) return;
    try {
      await rmdir(dirname(absolute));
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(fsCode(error))) throw fileError(error, absolute);
    }
  }

  async close(): Promise<void> {}

  #absolute(path: string): string {
    return join(this.#root, storePath(path));
  }

  /** Whether a final file is there with these bytes; other bytes are an error. */
  async #holds(target: string, sha256: string): Promise<boolean> {
    const digest = await this.#checksums.digest(target).catch(absent);
    if (digest && digest.sha256 !== sha256) throw changed(target, sha256, digest.sha256);
    return digest !== undefined;
  }

  async #copyAcross(
    from: string,
    to: string,
    sha256: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const temporary = temporaryPath(to);
    try {
      const copy = await digestFile(from, { copyTo: temporary, signal });
      if (copy.sha256 !== sha256) throw changed(from, sha256, copy.sha256);
      await rename(temporary, to);
    } finally {
      await rm(temporary, { force: true });
    }
    await rm(from, { force: true });
  }

  /** Removes what killed publishers left of a file; a live one finds the final file in its place. */
  async #removeLeftovers(folder: string, name: string): Promise<void> {
    for (const entry of await readdir(folder))
      if (isTemporary(entry, name)) await rm(join(folder, entry), { force: true });
  }

  /** Collects the files below a folder, through links, each folder once on a path so that a cycle of links ends. */
  async #walk(folder: string, above: ReadonlySet<string>, found: string[]): Promise<void> {
    const real = await realpath(this.#absolute(folder)).catch(absent);
    if (real === undefined || above.has(real)) return;
    const inside = new Set(above).add(real);
    // Others remove what they staged meanwhile.
    for (const entry of (await readdir(real, { withFileTypes: true }).catch(absent)) ?? []) {
      if (isTemporary(entry.name) || isGeneration(entry.name)) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const kind = entry.isSymbolicLink() ? await stat(join(real, entry.name)).catch(absent) : entry;
      if (kind?.isDirectory()) await this.#walk(path, inside, found);
      else if (kind?.isFile()) found.push(path);
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof GranaryError && error.code === 'SourceMissing';
}

function absent(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes(fsCode(error)) && !isMissing(error)) throw error;
  return undefined;
}

function changed(path: string, expected: string, found: string): GranaryError {
  return new GranaryError(
    'ChecksumMismatch',
    `${path} has the SHA-256 ${found}, but ${expected} was recorded: its bytes were changed.`,
    { details: { path, expected, found } },
  );
}
