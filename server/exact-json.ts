import { isUtf8 } from 'node:buffer';
import { GranaryError } from '../definitions/errors.js';

/** More digits than a `number` is sure to keep. */
const LONG = /\d{16}/;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const DEEPEST = 64;

/** A body as text. @throws GranaryError `InvalidInput` where it is not UTF-8: decoded all the same it would name other entities. */
export function textOf(body: Buffer): string {
  if (isUtf8(body)) return body.toString();
  throw new GranaryError('InvalidInput', 'The body is not JSON: it is not in UTF-8.', {
    details: { status: 422 },
  });
}

/**
 * Reads JSON without losing digits: an integer beyond 2^53 becomes a `bigint`.
 * @throws GranaryError `InvalidInput` where it is not JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return LONG.test(text) ? new Reader(text).whole() : (JSON.parse(text) as unknown);
  } catch (error) {
    throw new GranaryError(
      'InvalidInput',
      `The body is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`,
      { details: { status: 422 } },
    );
  }
}

/** A JSON reader for texts with long numbers. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): unknown {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) throw new SyntaxError(`it is more than ${DEEPEST} levels deep`);
    this.#space();
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#list(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = [];
    this.#at++;
    if (this.#next('}')) return {};
    do {
      this.#space();
      const name = this.#string();
      if (!this.#next(':')) throw this.#unexpected();
      entries.push([name, this.#value(depth)]);
    } while (this.#next(','));
    if (!this.#next('}')) throw this.#unexpected();
    return Object.fromEntries(entries);
  }

  #list(depth: number): unknown {
    const items: unknown[] = [];
    this.#at++;
    if (this.#next(']')) return items;
    do items.push(this.#value(depth));
    while (this.#next(','));
    if (!this.#next(']')) throw this.#unexpected();
    return items;
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') throw this.#unexpected();
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    const text = this.#text.slice(this.#at, end + 1);
    this.#at = end + 1;
    return JSON.parse(text) as string;
  }

  #number(): number | bigint {
    const [text, fraction, exponent] = this.#match(NUMBER);
    const value = Number(text);
    if (fraction !== undefined || exponent !== undefined || Number.isSafeInteger(value)) return value;
    // A number of a million digits would take seconds; no type has more than 20.
    return text.length > 40 ? value : BigInt(text);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) throw this.#unexpected();
    this.#at = pattern.lastIndex;
    return found;
  }

  #next(sign: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #unexpected(): SyntaxError {
    const found = this.#text[this.#at];
    return new SyntaxError(
      found === undefined
        ? 'it ends too early'
        : `unexpected ${JSON.stringify(found)} at position ${this.#at}`,
    );
  }
}
