import { createHash } from 'node:crypto';
import type { FileProvider } from '../../providers/files/provider.js';

/** An empty store, and what a test may do to it behind the provider's back. */
export interface FileStoreUnderTest {
  /** A provider as another process would have one, on the same store. */
  open(): FileProvider;
  /** Puts bytes at a path, whatever is there. */
  overwrite(path: string, bytes: string): Promise<void>;
  /** All names in the store under a folder, unfinished ones too. */
  names(folder: string): Promise<string[]>;
  /** How often random tests try, where a store is slow. */
  readonly rounds?: number;
}

/** SHA-256 of a text, lowercase hex. */
export const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
