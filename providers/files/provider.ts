/** A file in a store, with what proves its bytes. Paths are relative to the store's root, with `/`. */
export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  /** Lowercase hex. */
  readonly sha256: string;
}

/** What `latest.json` says: which version readers follow, and its order. */
export interface LatestPointer {
  /** Folder name of the version, such as `v_20010305T000000`. */
  readonly version: string;
  readonly interval: { readonly start: string; readonly end: string };
  readonly generation: number;
  /** The version's files, paths relative to the version's folder. */
  readonly files: readonly StoredFile[];
}

/**
 * A store of files: a local folder, S3. Methods throw GranaryError: `ProviderUnreachable` and `ResourcesExhausted` are
 * retryable, `ChecksumMismatch` and `SourceMissing` are not.
 */
export interface FileProvider {
  /** `folder /data/lake` or `s3://bucket/prefix`. */
  readonly description: string;
  /** The address of a path: `file:///...`, `s3://...`. */
  uri(path: string): string;
  /** The S3-compatible server that others need to read such an address, as `https://s3.example.com`; absent for folders, and for AWS. */
  readonly endpoint?: string | undefined;
  /** Writes, reads and removes a small file. */
  check(): Promise<void>;
  /** Paths of the files under a folder (recursive, sorted), or the files that a glob (`*`, `**`) matches. */
  list(pattern: string): Promise<string[]>;
  /** Size and an identity that changes when the contents do; `undefined` when there is no such file. */
  stat(path: string): Promise<{ readonly bytes: number; readonly identity: string } | undefined>;
  /** SHA-256 of a file's bytes, remembered while its identity stays. */
  checksum(path: string): Promise<string>;
  /**
   * A path on this machine's disk with the file's bytes (the file itself, or a cached copy), for engines that read local
   * files only. With `sha256` given, the bytes are verified (`ChecksumMismatch`). A cached copy stays at its path until the
   * {@link FileHold} ends in which it was asked for; outside of one, until `close`.
   */
  localPath(
    path: string,
    options?: { readonly sha256?: string; readonly signal?: AbortSignal },
  ): Promise<string>;
  readText(path: string): Promise<string | undefined>;
  /**
   * Replaces a small file by what `change` makes of its bytes (`undefined`: there is none), whole and durable when it resolves; where it
   * makes `undefined` of them, nothing is written. A write only takes the place of the very bytes that `change` was given: when another
   * writer came in between, `change` is asked again. So whatever it reads, it reads after them, and an older state never replaces
   * a newer one, as long as no two writings are of equal bytes.
   */
  update(
    path: string,
    change: (bytes: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
  ): Promise<'written' | 'unchanged'>;
  /**
   * Moves a finished local file into the store at a path under `_staging/`, durable (fsync) when it resolves. The local
   * file is gone afterwards.
   */
  stage(localPath: string, path: string, options?: { readonly signal?: AbortSignal }): Promise<StoredFile>;
  /**
   * Copies a staged file's recorded bytes to their final place if nothing is there; durable when it resolves. The same bytes already there
   * are success; other bytes are `ChecksumMismatch`. Never leaves a partial file under the final name. Anyone may repeat
   * it, also at the same time.
   */
  publish(staged: StoredFile, to: string): Promise<'created' | 'present'>;
  /**
   * Points `<folder>/latest.json`, then `<folder>/latest/`, at a version, unless a newer one is there already. `isNewest` asks the
   * registry. It is called before each write and after whatever fences older writers, so that a writer that slept between
   * its check and its write changes nothing.
   */
  pointLatest(
    folder: string,
    pointer: LatestPointer,
    isNewest: () => Promise<boolean>,
  ): Promise<'moved' | 'unchanged' | 'superseded'>;
  /** Removes a folder under `_staging/` and all in it; absent is success. Any other path is refused. */
  removeStaging(path: string): Promise<void>;
  /**
   * Removes a file, or a folder with all in it, outside of `_staging/`; absent is success. Where the folder that held it is empty then, it
   * goes too. The store's root is refused.
   */
  remove(path: string): Promise<void>;
  /** Ends connections, and lets go of cached copies that no hold keeps. */
  close(): Promise<void>;
}
