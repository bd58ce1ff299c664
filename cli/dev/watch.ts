import { statSync, unwatchFile, watchFile } from 'node:fs';

/** How often files are looked at. Looking works on every file system, also for editors that write a new file over the old one. */
const INTERVAL_MS = 250;

/** Watches a set of files that changes with what the project imports. */
export class Watch {
  #files: readonly string[] = [];
  readonly #changed: (file: string) => void;

  constructor(changed: (file: string) => void) {
    this.#changed = changed;
  }

  /** Watches these from now on, and tells of one that was changed since `read`, when it was read (milliseconds since 1970). */
  set(files: readonly string[], read: number): void {
    const gone = this.#files.filter((file) => !files.includes(file));
    const added = files.filter((file) => !this.#files.includes(file));
    for (const file of gone) unwatchFile(file);
    for (const file of added)
      watchFile(file, { interval: INTERVAL_MS }, (now, before) => {
        if (now.mtimeMs !== before.mtimeMs || now.size !== before.size) this.#changed(file);
      });
    this.#files = files;
    const missed = added.find((file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > read);
    if (missed !== undefined) this.#changed(missed);
  }

  close(): void {
    for (const file of this.#files) unwatchFile(file);
    this.#files = [];
  }
}
