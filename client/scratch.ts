import { rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { FileHold } from '../providers/files/file-hold.js';
import { duckdbOfflineProvider } from '../providers/offline/duckdb/provider.js';
import type { OfflineSession } from '../providers/offline/provider.js';
import { makeScratch } from '../providers/own-folder.js';

/** An engine of this process's own with a folder for its files; what was downloaded for it stays as long. */
export interface Scratch extends AsyncDisposable {
  readonly session: OfflineSession;
  readonly folder: string;
  readonly hold: FileHold;
}

/** Opens an engine for one reading; `await using` ends it and removes its folder. */
export async function openScratch({
  memoryLimit = '512MiB',
  threads = 1,
}: { readonly memoryLimit?: string; readonly threads?: number } = {}): Promise<Scratch> {
  const folder = await makeScratch(scratchParent());
  const session = await duckdbOfflineProvider().open({
    scratch: join(folder, 'spill'),
    memoryLimit,
    threads,
    signal: new AbortController().signal,
  });
  const hold = new FileHold();
  return {
    session,
    folder,
    hold,
    async [Symbol.asyncDispose]() {
      await session.close();
      await hold[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A user's own: whoever came first would own a shared one. */
export const scratchParent = (): string =>
  join(tmpdir(), `granary-read-${process.getuid?.() ?? userInfo().username}`);
