import { GranaryClient } from '../client/index.js';
import { GranaryError } from '../definitions/errors.js';
import { openProject, type OpenProject } from '../providers/bind.js';
import { registryError } from '../registry/database.js';
import { workflowFailure } from '../client/workflow-failure.js';
import { temporalError } from './failure.js';
import { loadProject } from './load-project.js';
import type { ProjectFlags } from './options.js';

/** The flags of a command that talks to Temporal. */
export interface ClientFlags extends ProjectFlags {
  readonly taskQueue?: string;
}

/**
 * Connects a client for as long as `work` takes. The project is compiled once.
 * @throws GranaryError in place of a workflow's failure, with its code and message, and of what the registry's Postgres says.
 */
export async function useClient<T>(
  flags: ClientFlags,
  work: (client: GranaryClient, open: OpenProject) => Promise<T>,
): Promise<T> {
  const open = openProject(await loadProject(flags.project), flags.env);
  const client = await GranaryClient.over(open, flags.taskQueue);
  try {
    return await work(client, open);
  } catch (error) {
    const failure = workflowFailure(error);
    throw failure
      ? new GranaryError(failure.code, failure.cause.message, { cause: failure.cause })
      : registryError(temporalError(error));
  } finally {
    await client.close();
  }
}
