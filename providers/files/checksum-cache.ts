import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Digest, digestFile } from './durable.js';

const ENTRIES = 2000;
/** A file may change within one tick of the file system's clock without its times showing it. */
const SETTLED_MS = 2000;

/** What changes when a file's contents do: size, modification time in nanoseconds, inode. */
export function identityOf(stats: BigIntStats): string {
  return `${stats.size}-${stats.mtimeNs}-${stats.ino}`;
}

/** SHA-256 of files, remembered by path while size, modification time and inode stay. */
export class ChecksumCache {
  readonly #known = new Map<string, { readonly identity: string; readonly digest: Digest }>();

  async digest(path: string, signal?: AbortSignal): Promise<Digest> {
    for (;;) {
      const before = await stat(path, { bigint: true });
      const identity = identityOf(before);
      const known = this.#known.get(path);
      if (known?.identity === identity) return known.digest;
      const digest = await digestFile(path, { signal });
      const after = await stat(path, { bigint: true });
      if (identityOf(after) !== identity) continue;
      if (Date.now() - Number(after.mtimeMs) > SETTLED_MS) this.#remember(path, identity, digest);
      return digest;
    }
  }

  /** Remembers what the caller has hashed itself while nobody else could write the file. */
  async learn(path: string, digest: Digest): Promise<void> {
    this.#remember(path, identityOf(await stat(path, { bigint: true })), digest);
  }

  #remember(path: string, identity: string, digest: Digest): void {
    this.#known.delete(path);
    this.#known.set(path, { identity, digest });
    const oldest = this.#known.keys().next();
    if (this.#known.size > ENTRIES && !oldest.done) this.#known.delete(oldest.value);
  }
}
