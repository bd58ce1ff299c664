/** What was asked for on a connection and has not been answered whole: `replies` lists of `fields` values each, or with 0 fields one word such as OK. */
export interface Asked {
  readonly replies: number;
  readonly fields: number;
}

/** Where the values of an answer lie: pairs of start and end in `bytes`, -1 for nil, -2 where the key is no hash. */
export interface Answer {
  readonly bytes: Buffer;
  readonly at: Int32Array;
  /** The first reply that was an error, but for those of keys that are no hashes. */
  readonly error: string | undefined;
}

const NOTHING: Buffer = Buffer.alloc(0);
const MINUS = 0x2d;
const CR = 0x0d;
const DOLLAR = 0x24;
const STAR = 0x2a;

/**
 * Finds the values in RESP2 replies without an object a value: only where each begins and ends. Bytes of an answer are neither moved nor
 * overwritten once it has been handed out.
 */
export class ReplyScanner {
  #bytes = NOTHING;
  /** Whether `#bytes` has room of its own behind `#end`. */
  #owned = false;
  /** Where the answer in progress began, how far it has been scanned, how far there are bytes. */
  #from = 0;
  #next = 0;
  #end = 0;
  #at: Int32Array | undefined;
  #filled = 0;
  #replies = 0;
  #left = 0;
  #error: string | undefined;

  push(chunk: Buffer): void {
    const held = this.#end - this.#from;
    if (held === 0) {
      this.#bytes = chunk;
      this.#owned = false;
      this.#from = this.#next = 0;
      this.#end = chunk.length;
      return;
    }
    if (!this.#owned || this.#end + chunk.length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1 << 16, (held + chunk.length) * 2));
      this.#bytes.copy(grown, 0, this.#from, this.#end);
      this.#bytes = grown;
      this.#owned = true;
      this.#next -= this.#from;
      this.#from = 0;
      this.#end = held;
    }
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The answer to what was asked first, once it is whole.
   * @throws Error when the bytes are no replies of the kind that was asked for.
   */
  take(asked: Asked): Answer | undefined {
    const at = (this.#at ??= new Int32Array(asked.replies * asked.fields * 2));
    while (this.#replies < asked.replies || this.#left > 0)
      if (!(this.#left > 0 ? this.#value(at) : this.#head(asked))) return undefined;
    const answer = { bytes: this.#bytes.subarray(this.#from, this.#next), at, error: this.#error };
    this.#from = this.#next;
    this.#at = this.#error = undefined;
    this.#filled = this.#replies = 0;
    return answer;
  }

  /** The head of a list, or a whole word or error. */
  #head({ fields }: Asked): boolean {
    const line = this.#line();
    if (line < 0) return false;
    const kind = this.#bytes[this.#next];
    if (kind === MINUS) {
      const error = this.#bytes.toString('latin1', this.#next + 1, line);
      // One key of another type is one entity's trouble.
      const isOther = fields > 0 && error.startsWith('WRONGTYPE ');
      if (!isOther) this.#error ??= error;
      for (let i = 0; i < fields * 2; i++) if (this.#at) this.#at[this.#filled++] = isOther ? -2 : -1;
    } else if (fields > 0) {
      if (kind !== STAR || this.#number(this.#next + 1, line) !== fields) throw unexpected();
      this.#left = fields;
    }
    this.#next = line + 2;
    this.#replies++;
    return true;
  }

  #value(at: Int32Array): boolean {
    const line = this.#line();
    if (line < 0) return false;
    if (this.#bytes[this.#next] !== DOLLAR) throw unexpected();
    const size = this.#number(this.#next + 1, line);
    const start = line + 2;
    if (size < 0) {
      at[this.#filled++] = -1;
      at[this.#filled++] = -1;
      this.#next = start;
    } else {
      if (start + size + 2 > this.#end) return false;
      at[this.#filled++] = start - this.#from;
      at[this.#filled++] = start + size - this.#from;
      this.#next = start + size + 2;
    }
    this.#left--;
    return true;
  }

  /** Where the line at hand ends, or -1 while its end has not come. */
  #line(): number {
    for (let i = this.#next; i + 1 < this.#end; i++) if (this.#bytes[i] === CR) return i;
    return -1;
  }

  #number(from: number, to: number): number {
    if (this.#bytes[from] === MINUS) return -1;
    let value = 0;
    for (let i = from; i < to; i++) value = value * 10 + (this.#bytes[i] ?? 0) - 0x30;
    return value;
  }
}

const unexpected = (): Error => new Error('Redis answered something else than was asked for');
