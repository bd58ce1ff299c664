import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../definitions/secret.js';
import { readSecret, resolveSecret } from '../providers/secrets.js';

/** `read`: features; `run`: also what starts runs. */
export type Role = 'read' | 'run';

/** A bearer token by where it is kept. */
export interface Token {
  readonly role: Role;
  readonly secret: Secret;
}

const FRESH_MS = 1000;

/** The bearer tokens that a server takes; none: it takes everybody. A token that was rotated is taken up within a second. */
export class Tokens {
  readonly #tokens: readonly Token[];
  /** One a token, in order. */
  #digests: readonly { readonly role: Role; readonly digest: Buffer }[];
  #readAt = performance.now();

  /** @throws GranaryError `ConfigurationMissing` when one is not set. */
  constructor(tokens: readonly Token[]) {
    this.#digests = tokens.map(({ role, secret }) => ({
      role,
      digest: digestOf(resolveSecret(`A bearer token for ${role}`, secret)),
    }));
    this.#tokens = tokens;
  }

  get isOpen(): boolean {
    return this.#tokens.length === 0;
  }

  /** What the bearer of an `authorization` header may do; undefined where the token is unknown or absent. Takes as long for any token. */
  roleOf(header: string | undefined): Role | undefined {
    this.#refresh();
    const given = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? '';
    const digest = digestOf(given);
    let role: Role | undefined;
    for (const known of this.#digests)
      if (timingSafeEqual(known.digest, digest) && role !== 'run') ({ role } = known);
    return given === '' ? undefined : role;
  }

  /** A secret that is being replaced may be absent for a moment: then what was known goes on. */
  #refresh(): void {
    const now = performance.now();
    if (now - this.#readAt < FRESH_MS) return;
    this.#readAt = now;
    this.#digests = this.#digests.map((known, i) => {
      const token = this.#tokens[i];
      const text = token ? readSecret(token.secret) : undefined;
      return text === undefined || text === '' ? known : { role: known.role, digest: digestOf(text) };
    });
  }
}

// Of one length whatever the token, so that they can be compared without telling it.
const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
