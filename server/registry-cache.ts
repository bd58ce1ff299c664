import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../definitions/project.js';
import type { Registry } from '../registry/registry.js';
import { snapshotOf, type Snapshot } from './snapshot.js';

const CHECK_MS = 500;

/**
 * What is registered, kept in memory: a promotion or an apply is seen within a second, by a fingerprint of the registry that is asked for
 * twice a second. While the registry's Postgres is away, the last state goes on being served.
 */
export class RegistryCache implements AsyncDisposable {
  readonly #scope: Scope;
  readonly #registry: Registry;
  readonly #stop = new AbortController();
  readonly #onError: (error: unknown) => void;
  #version: string;
  #snapshot: Snapshot;
  #watching: Promise<void> = Promise.resolve();

  private constructor(
    scope: Scope,
    registry: Registry,
    onError: (error: unknown) => void,
    version: string,
    snapshot: Snapshot,
  ) {
    this.#scope = scope;
    this.#registry = registry;
    this.#onError = onError;
    this.#version = version;
    this.#snapshot = snapshot;
  }

  /**
   * Reads the registry once, then watches it. `onError` is told the first error of each time that it is away.
   * @throws GranaryError or Postgres's own error when it cannot be read now.
   */
  static async open(
    scope: Scope,
    registry: Registry,
    onError: (error: unknown) => void,
  ): Promise<RegistryCache> {
    await registry.migrate();
    const version = await registry.resources.version();
    const snapshot = snapshotOf(scope, await registry.resources.all());
    const cache = new RegistryCache(scope, registry, onError, version, snapshot);
    cache.#watching = cache.#watch();
    return cache;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    let isAway = false;
    for (;;) {
      try {
        await sleep(CHECK_MS, undefined, { signal, ref: false });
      } catch {
        return;
      }
      try {
        // Asked before the resources are: what changes in between is seen the next time.
        const version = await this.#registry.resources.version();
        if (version !== this.#version) {
          this.#snapshot = snapshotOf(this.#scope, await this.#registry.resources.all());
          this.#version = version;
        }
        isAway = false;
      } catch (error) {
        if (!isAway && !signal.aborted) this.#onError(error);
        isAway = true;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }
}
