import type { Redis } from 'ioredis';

/** Reads a Redis URL again where it may have been rotated, and hands new credentials to a client before it connects anew. */
export class RedisCredentials {
  readonly #url: () => string;
  readonly #ca: (() => string) | undefined;
  #known: string;

  constructor(url: () => string, ca?: () => string) {
    this.#url = url;
    this.#ca = ca;
    this.#known = url();
  }

  /** The client's options for TLS: the authorities to trust, as they are at this moment. */
  get tls(): { readonly tls?: { readonly ca: string } } {
    return this.#ca === undefined ? {} : { tls: { ca: this.#ca() } };
  }

  /** The URL as it was read last. */
  get url(): string {
    return this.#known;
  }

  /** Reads the URL; when it changed, the client's next connection takes its user and password. `true` when they did. */
  renew(redis: Redis): boolean {
    let url: string;
    try {
      url = this.#url();
      // An authority may be replaced as well; whether it was, the next connection shows.
      Object.assign(redis.options, this.tls);
    } catch {
      // A secret that is being replaced may be absent for a moment: what was known may still do.
      return false;
    }
    if (url === this.#known || !URL.canParse(url)) return false;
    this.#known = url;
    const { username, password } = new URL(url);
    Object.assign(redis.options, {
      username: username === '' ? undefined : decodeURIComponent(username),
      password: password === '' ? undefined : decodeURIComponent(password),
    });
    return true;
  }
}
