import type { StatusRule } from './answer.js';
import type { Token } from './tokens.js';

/** Feast's port for feature servers. */
export const DEFAULT_PORT = 6566;

/** How a feature server behaves; where it listens is for {@link listen}. */
export interface ServerOptions {
  /** `feast-python`: every value is PRESENT, as Feast's Python server says. Default: `truthful`. */
  readonly statuses?: StatusRule;
  /** Who may call; none: everybody. */
  readonly tokens?: readonly Token[];
  /** Bytes of a body; default 4 MiB. */
  readonly maxBody?: number;
  /** Entities of one request for online features; default 10,000. */
  readonly maxEntities?: number;
  /** Milliseconds within which a request's head, and the whole of it, must have come; default 10,000 and 30,000. */
  readonly headTimeout?: number;
  readonly requestTimeout?: number;
  /** Told what went wrong and is nobody's request's fault: a store that is away, an unforeseen error. */
  readonly log?: (line: string) => void;
}

export const DEFAULTS = {
  maxBody: 4 << 20,
  maxEntities: 10_000,
  headTimeout: 10_000,
  requestTimeout: 30_000,
  drainTimeout: 30_000,
};

/**
 * Values (entities x features) of one request for online features: its answer is made in one go, during which nothing else is answered; this many take
 * about a quarter of a second. Where `maxEntities` is larger, that holds.
 */
export const MOST_VALUES = 200_000;
