import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { purgeServices, startServices, type ServiceHandle, type ServiceName } from '../../services/index.mjs';

/** Servers that a test file has to itself, so that it may kill them. This process and those it starts find them by their variables. */
export interface OwnServers extends AsyncDisposable {
  handle(name: ServiceName): ServiceHandle;
  /** The folder of a server's data. */
  data(name: ServiceName): string;
}

const VARIABLES = {
  temporal: 'TEMPORAL_ADDRESS',
  postgres: 'DATABASE_URL',
  redis: 'REDIS_URL',
  s3: 'S3_ENDPOINT',
} as const satisfies Record<ServiceName, string>;

const ALL = Object.keys(VARIABLES) as ServiceName[];

export async function ownServers(only: readonly ServiceName[] = ALL): Promise<OwnServers> {
  const dir = await mkdtemp(join(tmpdir(), 'granary-servers-'));
  // A variable that is set would stand in for the server.
  for (const name of only) Reflect.deleteProperty(process.env, VARIABLES[name]);
  const services = await startServices({ dir, only, log: () => undefined });
  Object.assign(process.env, services.env);
  return {
    handle: (name) => {
      const handle = services.handles[name];
      if (!handle) throw new Error(`${name} is not one of this test's servers`);
      return handle;
    },
    data: (name) => join(dir, 'data', name),
    async [Symbol.asyncDispose]() {
      await services.stop();
      await purgeServices({ dir });
      await rm(dir, { recursive: true, force: true });
    },
  };
}
