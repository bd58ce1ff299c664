import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fsCode } from '../file-errors.js';

/** In memory, and on disk at most this many and as many again before the oldest are removed. */
const MOST = 10_000;

/** Which bytes an object had when they were last read or written here, by a hash of its address and identity; on disk, for other processes too. */
export class ObjectNotes {
  readonly #folder: string;
  readonly #own: () => Promise<string>;
  readonly #known = new Map<string, string>();
  #written = 0;

  constructor(folder: string, own: () => Promise<string>) {
    this.#folder = folder;
    this.#own = own;
  }

  /** The SHA-256 of the object; `undefined` where it is not known. */
  async get(object: string): Promise<string | undefined> {
    const known = this.#known.get(object);
    if (known !== undefined) return known;
    const text = await readFile(join(this.#folder, object), 'utf8').catch((error: unknown) => {
      if (fsCode(error) === 'ENOENT') return '';
      throw error;
    });
    // A file that a power cut left empty or torn is no note.
    if (!/^[0-9a-f]{64}$/.test(text)) return undefined;
    this.#remember(object, text);
    return text;
  }

  async set(object: string, sha256: string): Promise<void> {
    this.#remember(object, sha256);
    const draft = join(await this.#own(), `${randomUUID()}.note`);
    try {
      await writeFile(draft, sha256);
      await rename(draft, join(this.#folder, object));
      if (++this.#written % MOST === 1) await this.#sweep();
    } catch {
      // A full disk, say: what is not noted is read again.
      await rm(draft, { force: true });
    }
  }

  #remember(object: string, sha256: string): void {
    this.#known.delete(object);
    this.#known.set(object, sha256);
    const oldest = this.#known.keys().next();
    if (this.#known.size > MOST && !oldest.done) this.#known.delete(oldest.value);
  }

  async #sweep(): Promise<void> {
    const names = await readdir(this.#folder);
    if (names.length <= 2 * MOST) return;
    const aged = await Promise.all(
      names.map(async (name) => ({
        name,
        at: (await stat(join(this.#folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
      })),
    );
    aged.sort((a, b) => a.at - b.at);
    for (const { name } of aged.slice(0, names.length - MOST))
      await rm(join(this.#folder, name), { force: true });
  }
}
