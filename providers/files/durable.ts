import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const CHUNK = 1 << 20;

/** Size and SHA-256 (lowercase hex) of some bytes. */
export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** A name beside `path` for a file that is not finished: `.<name>.<random>.tmp`. Such names are never listed. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

/** Whether a name is one that {@link temporaryPath} makes, of any file or of the given one. */
export function isTemporary(name: string, of?: string): boolean {
  return /^\..+\.[0-9a-f]{16}\.tmp$/.test(name) && (of === undefined || name.slice(1, -21) === of);
}

/** Flushes a folder, without which a new name in it may be lost with the power. Windows has no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder below `root` and flushes every folder on the way: another process may have made one a moment ago. */
export async function makeFolder(root: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let at = folder; at.startsWith(root); at = dirname(at)) {
    await syncFolder(at);
    if (at === root) break;
  }
}

/** Writes a new file and flushes it. `EEXIST` when there is one. */
export async function writeDurably(path: string, text: string | Uint8Array): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a file through SHA-256; with `copyTo` also writes it there (a new file), flushed. */
export async function digestFile(
  path: string,
  options: { readonly copyTo?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<Digest> {
  const { copyTo, signal } = options;
  const source = await open(path, 'r');
  try {
    const target = copyTo === undefined ? undefined : await open(copyTo, 'wx');
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(CHUNK);
      let bytes = 0;
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, CHUNK);
        if (bytesRead === 0) break;
        const chunk = buffer.subarray(0, bytesRead);
        hash.update(chunk);
        // writeFile, unlike write, goes on until every byte is written; it appends to an open handle.
        if (target) await target.writeFile(chunk);
        bytes += bytesRead;
      }
      await target?.sync();
      return { bytes, sha256: hash.digest('hex') };
    } finally {
      await target?.close();
    }
  } finally {
    await source.close();
  }
}

/** Flushes a file's bytes. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
