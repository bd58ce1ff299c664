import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError, messageOf, type ErrorCode } from '../definitions/errors.js';
import { didYouMean } from '../definitions/names.js';
import type { OpenProject } from '../providers/bind.js';

/** Whether a provider can be worked with. */
export interface ProviderHealth {
  readonly name: string;
  readonly healthy: boolean;
  /** The cause in words, and its code. */
  readonly error?: string;
  readonly code?: ErrorCode;
  readonly ms: number;
}

/**
 * Checks the providers of a project, or one of them, all at once.
 * @throws GranaryError `UnknownResource` when the project has no provider of that name.
 */
export async function checkProviders(
  { project, providers }: OpenProject,
  name: string | undefined,
): Promise<ProviderHealth[]> {
  const all = [...project.resources.values()].filter((r): r is Resource<'provider'> => isKind(r, 'provider'));
  const asked = all.filter((provider) => name === undefined || provider.name === name);
  if (name !== undefined && asked.length === 0)
    throw new GranaryError(
      'UnknownResource',
      `The project has no provider "${name}". ${didYouMean(
        name,
        all.map((provider) => provider.name),
      )}`,
    );
  return await Promise.all(
    asked.map(async (provider): Promise<ProviderHealth> => {
      const started = performance.now();
      const took = (): number => Math.round(performance.now() - started);
      try {
        await providers.checkHealth(provider);
        return { name: provider.name, healthy: true, ms: took() };
      } catch (error) {
        return {
          name: provider.name,
          healthy: false,
          error: messageOf(error),
          code: error instanceof GranaryError ? error.code : 'Internal',
          ms: took(),
        };
      }
    }),
  );
}
