import { log } from '@temporalio/activity';
import { isKind } from '../definitions/contract.js';
import { messageOf } from '../definitions/errors.js';
import type { Runtime } from './runtime.js';

/**
 * Drops the tables that closed runs staged in databases, unless a commit of theirs is not published yet. What cannot be dropped now is
 * left to a later run.
 */
export async function collectTables(runtime: Runtime): Promise<void> {
  for (const resource of runtime.project.resources.values()) {
    if (!isKind(resource, 'provider') || resource.spec.type !== 'postgres') continue;
    try {
      const provider = runtime.providers.offline(resource.name);
      for (const run of await runtime.registry.runs.collectable(await provider.stagedRuns()))
        await provider.dropStaged(run);
    } catch (error) {
      log.warn('Staged tables of closed runs could not be dropped; a later run tries again', {
        database: resource.name,
        error: messageOf(error),
      });
    }
  }
}
