/** A number of places for heavy steps; those that find none wait in line, what is urgent before what may wait. */
export class Slots {
  #free: number;
  /** By priority, and within one in the order of their coming. */
  readonly #line: { readonly priority: number; readonly enter: () => void }[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Takes a place; the returned function gives it back. A lower `priority` (Temporal's priority key) comes first. Rejects with the signal's reason
   * when aborted while waiting.
   */
  async take(signal: AbortSignal, priority: number): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else
      await new Promise<void>((resolve, reject) => {
        const enter = (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const place = { priority, enter };
        const leave = (): void => {
          this.#line.splice(this.#line.indexOf(place), 1);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', leave, { once: true });
        const behind = this.#line.findIndex((other) => other.priority > priority);
        this.#line.splice(behind === -1 ? this.#line.length : behind, 0, place);
      });
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.#line.shift();
      if (next) next.enter();
      else this.#free += 1;
    };
  }
}
