interface Download<T> {
  readonly done: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** Downloads under way: who wants the same thing waits for the same one. It goes on until nobody waits any longer. */
export class Downloads<T> {
  readonly #running = new Map<string, Download<T>>();

  async get(
    id: string,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const download = this.#running.get(id) ?? this.#begin(id, start);
    download.waiting++;
    try {
      return await (signal ? Promise.race([download.done, aborted(signal, download)]) : download.done);
    } finally {
      if (--download.waiting === 0) {
        download.stop.abort();
        // The next one to ask must not join what is being stopped.
        if (this.#running.get(id) === download) this.#running.delete(id);
      }
    }
  }

  #begin(id: string, start: (signal: AbortSignal) => Promise<T>): Download<T> {
    const stop = new AbortController();
    const done = start(stop.signal);
    const download: Download<T> = { done, stop, waiting: 0 };
    this.#running.set(id, download);
    const end = (): void => {
      if (this.#running.get(id) === download) this.#running.delete(id);
    };
    done.then(end, end);
    return download;
  }
}

/** Rejects with the signal's reason; listens no longer than the download lasts. */
function aborted<T>(signal: AbortSignal, { done }: Download<T>): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const off = (): void => signal.removeEventListener('abort', onAbort);
    done.then(off, off);
  });
}
