import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../definitions/errors.js';
import type { Contract } from '../definitions/contract-file.js';
import type { Project } from '../definitions/project.js';
import { openProject, type OpenProject } from '../providers/bind.js';
import { openRegistry } from '../registry/registry.js';
import { featureApp } from './app.js';
import type { Materializer } from './materialize.js';
import { DEFAULT_PORT, DEFAULTS, type ServerOptions } from './options.js';
import { RegistryCache } from './registry-cache.js';

/** Where a server listens. */
export interface ListenOptions extends ServerOptions {
  /** Default 6566; 0: any that is free. */
  readonly port?: number;
  /** Default: this machine alone. */
  readonly host?: string;
  /** Starts the runs of `/materialize`, asked for at the first one; without it these paths are not there. */
  readonly materializer?: () => Promise<Materializer>;
  /** Milliseconds that a drain waits for what is under way, before it closes the connections; default 30,000. */
  readonly drainTimeout?: number;
}

/** A server that listens. */
export interface FeatureServer extends AsyncDisposable {
  /** `http://127.0.0.1:6566`. */
  readonly url: string;
  /** From now on `/health` says 503; after `notice` milliseconds nothing new is taken, and it resolves once what is under way has been answered, or its time is up. */
  drain(notice?: number): Promise<void>;
}

/**
 * Serves a project's features over HTTP, with Feast's API, in one of its environments (default: `GRANARY_ENV`, then `dev`, then the only one).
 * @throws GranaryError when the project is wrong, the registry cannot be read, a token is not set; Node's error when the address is taken.
 */
export async function listen(
  project: Project | Contract,
  { environment, ...options }: ListenOptions & { readonly environment?: string } = {},
): Promise<FeatureServer> {
  const open = openProject(project, environment);
  try {
    const server = await listenOn(open, options);
    let closed: Promise<void> | undefined;
    const drain = (notice?: number): Promise<void> =>
      (closed ??= server.drain(notice).finally(() => open.providers.close()));
    return { url: server.url, drain, [Symbol.asyncDispose]: () => drain() };
  } catch (error) {
    await open.providers.close();
    throw error;
  }
}

/**
 * As {@link listen}, for a project that is open already. The providers stay the caller's to close.
 * @throws GranaryError when the registry cannot be read, a token is not set, or the address is taken.
 */
export async function listenOn(open: OpenProject, options: ListenOptions = {}): Promise<FeatureServer> {
  const { port = DEFAULT_PORT, host = '127.0.0.1', drainTimeout = DEFAULTS.drainTimeout } = options;
  const { log = () => undefined } = options;
  const registry = openRegistry(open.registry);
  let cache: RegistryCache | undefined;
  let isDraining = false;
  try {
    cache = await RegistryCache.open(open.scope, registry, (error) =>
      log(`the registry is away, and its last state goes on being served: ${messageOf(error)}`),
    );
    const app = await featureApp(
      { providers: open.providers, cache, isDraining: () => isDraining, materializer: options.materializer },
      options,
    );
    const url = await app.listen({ port, host });
    const opened = cache;
    let drained: Promise<void> | undefined;
    const stop = async (notice: number): Promise<void> => {
      isDraining = true;
      await sleep(notice);
      // Node no longer looks for slow clients then, and one that never ends its request would keep the server for ever.
      const late = setTimeout(() => {
        log(`closes connections whose requests did not end within ${drainTimeout} ms`);
        app.server.closeAllConnections();
      }, drainTimeout);
      await app.close().finally(() => clearTimeout(late));
      await opened[Symbol.asyncDispose]();
      await registry.close();
    };
    const drain = (notice = 0): Promise<void> => (drained ??= stop(notice));
    return { url, drain, [Symbol.asyncDispose]: () => drain() };
  } catch (error) {
    await cache?.[Symbol.asyncDispose]();
    await registry.close();
    throw error;
  }
}
