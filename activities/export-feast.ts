import { randomUUID } from 'node:crypto';
import { GranaryError } from '../definitions/errors.js';
import { writeRegistry } from '../feast/registry.js';
import { crashPoint } from './crash-points.js';
import { feastProjectOf } from './feast-project.js';
import type { FeastExport } from './messages.js';
import type { Runtime } from './runtime.js';
import { writtenStores } from './staging.js';

/** Where an environment's `registry.pb` lies in its file store. */
export const registryPath = (environment: string): string => `feast/${environment}/registry.pb`;

/**
 * Brings `registry.pb` in line with what is registered. The file is read before the registry, and only replaces what was read: so of two
 * writers, or of one that slept, the one who knows less begins again. Where it says all already nothing is written. Where no run writes
 * files there is none.
 */
export async function exportFeast(runtime: Runtime): Promise<FeastExport> {
  const { registry, providers, scope } = runtime;
  const [name] = writtenStores((await registry.resources.all()).values());
  if (name === undefined) return {};
  const store = providers.files(name);
  const path = registryPath(scope.environment);
  try {
    const outcome = await store.update(path, async (bytes) => {
      const resources = await registry.resources.all();
      const project = feastProjectOf(scope, resources, (other) => providers.files(other));
      const written = writeRegistry(bytes, project, { versionId: randomUUID(), now: new Date() });
      await crashPoint('feast.before-write');
      return written;
    });
    await crashPoint('feast.after-write');
    return { path: store.uri(path), outcome };
  } catch (error) {
    if (!(error instanceof GranaryError) || error.code !== 'SourceInvalid') throw error;
    throw new GranaryError(
      'SourceInvalid',
      `${store.uri(path)} is not a registry of Feast. It is written anew where there is none: move it away, and apply again.`,
      { cause: error },
    );
  }
}
