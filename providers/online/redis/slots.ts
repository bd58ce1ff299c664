/** A bounded number of reusable things; whoever asks for one more waits, first come first served. */
export class Slots<T> {
  readonly #make: () => T;
  readonly #free: T[] = [];
  readonly #waiting: ((slot: T) => void)[] = [];
  #left: number;

  constructor(limit: number, make: () => T) {
    this.#left = limit;
    this.#make = make;
  }

  async take(): Promise<T> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#left > 0) {
      this.#left--;
      return this.#make();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a slot back; without an argument, a new one takes the place of one that must not be used again. */
  give(slot: T = this.#make()): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }
}
