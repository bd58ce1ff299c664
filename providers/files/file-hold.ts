import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<FileHold>();

/**
 * Keeps the local copies that `FileProvider.localPath` gives inside of `run` in place, until it is disposed: a cache must
 * not evict a file that an engine still reads.
 */
export class FileHold implements AsyncDisposable {
  readonly #releases: (() => Promise<void>)[] = [];
  #isOver = false;

  /** Runs `work`; what it and all that it awaits get from `localPath` is held. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return current.run(this, work);
  }

  /** Puts a copy's release into the hold that runs; false where none does. */
  static async keep(release: () => Promise<void>): Promise<boolean> {
    const hold = current.getStore();
    if (!hold) return false;
    // A call that nobody awaits any longer, such as one that was cancelled, may end after its hold.
    if (hold.#isOver) await release();
    else hold.#releases.push(release);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#releases.splice(0).map((release) => release()));
  }
}
