import type { ProviderSpec, Resource } from '../definitions/contract.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import type { Binding } from '../definitions/provider.js';
import type { FileProvider } from './files/provider.js';
import { postgresCause } from './health-causes.js';
import type { TableProvider } from './offline/table-provider.js';
import type { OnlineProvider } from './online/provider.js';

/** What a health check needs of an environment's systems. */
export interface HealthSystems {
  binding(name: string): Binding;
  files(name: string): FileProvider;
  online(name: string): OnlineProvider;
  offline(name: string): TableProvider;
}

/** What is checked of a system, by its binding: its name in messages, and what it takes to be healthy. */
const SYSTEMS: Readonly<Record<Binding['type'], string>> = {
  localFiles: 'LOCAL_FILES - write',
  s3: 'S3_FILES - write',
  redis: 'REDIS_ONLINE - client_initialization',
  postgresOnline: 'POSTGRES_ONLINE - ping',
  postgres: 'POSTGRES_OFFLINE - ping',
};

/**
 * Asks the system behind a provider whether it can be worked with: connects, and writes where it takes that to know.
 * @throws GranaryError with the system, the step that failed and the cause in words; the code is the cause's.
 */
export async function checkHealth(systems: HealthSystems, provider: Resource<'provider'>): Promise<void> {
  const { name, spec } = provider;
  const where = SYSTEMS[systems.binding(name).type];
  try {
    await systemOf(systems, name, spec.type).check();
  } catch (error) {
    const known = error instanceof GranaryError ? error : undefined;
    const refused = postgresCause(known);
    throw new GranaryError(
      refused === undefined ? (known?.code ?? 'Internal') : 'ConfigurationMissing',
      `Granary cannot connect to the provider during health check: (${where}) ${refused ?? messageOf(error)}`,
      { cause: error },
    );
  }
}

function systemOf(
  systems: HealthSystems,
  name: string,
  type: ProviderSpec['type'],
): { check(): Promise<void> } {
  switch (type) {
    case 'files':
      return systems.files(name);
    case 'online':
      return systems.online(name);
    case 'postgres':
      return systems.offline(name);
  }
}
