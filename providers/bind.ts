import { resolve } from 'node:path';
import { GranaryError } from '../definitions/errors.js';
import { didYouMean } from '../definitions/names.js';
import { compile, type CompiledProject } from '../definitions/compile.js';
import {
  chooseEnvironment,
  registrySchema,
  type Environment,
  type Project,
  type Scope,
} from '../definitions/project.js';
import { compiledContract, headOf, isContract, type Contract } from '../definitions/contract-file.js';
import type { Resource } from '../definitions/contract.js';
import { fromEnv, type Secret } from '../definitions/secret.js';
import type { Binding } from '../definitions/provider.js';
import { postgresUrl, redisUrl } from './addresses.js';
import { localFileProvider } from './files/local.js';
import type { FileProvider } from './files/provider.js';
import { s3FileProvider } from './files/s3/provider.js';
import { cacheOptions } from './files/s3/settings.js';
import { checkHealth } from './health.js';
import { postgresOnlineProvider } from './online/postgres/provider.js';
import { postgresOfflineProvider } from './offline/postgres/provider.js';
import { wholeName } from './offline/postgres/sql-text.js';
import type { TableProvider } from './offline/table-provider.js';
import type { OnlineProvider } from './online/provider.js';
import { redisOnlineProvider } from './online/redis/provider.js';
import { readSecret, resolveSecret } from './secrets.js';

/** The real systems behind an environment's names. Each is made at its first use and closed with the rest. */
export interface BoundProviders {
  /** @throws GranaryError `ConfigurationMissing` when the name is not bound to files. */
  files(name: string): FileProvider;
  /** @throws GranaryError `ConfigurationMissing` when the name is not bound to an online store. */
  online(name: string): OnlineProvider;
  /**
   * Asks the system behind a provider whether it can be worked with.
   * @throws GranaryError with the cause in words.
   */
  checkHealth(provider: Resource<'provider'>): Promise<void>;
  /** @throws GranaryError `ConfigurationMissing` when the name is not bound to a database of sources. */
  offline(name: string): TableProvider;
  close(): Promise<void>;
}

/** A project with its environment chosen: names, systems, and where its registry is. */
export interface OpenProject {
  readonly scope: Scope;
  readonly project: CompiledProject;
  readonly environments: Project['environments'];
  readonly providers: BoundProviders;
  readonly registry: { readonly url: () => string; readonly schema: string };
}

/**
 * Compiles a project, or takes it as `granary compile` wrote it, and binds the environment that was asked for (else `GRANARY_ENV`, `dev`, the only one). Contacts nothing yet.
 * @throws GranaryError for a wrong definition, an unknown environment, or a setting that is missing.
 */
export function openProject(project: Project | Contract, environment?: string): OpenProject {
  const head = headOf(project);
  const name = chooseEnvironment(head, environment ?? process.env['GRANARY_ENV']);
  const chosen = head.environments[name] as Environment;
  const scope: Scope = { project: head.name, environment: name };
  const schema = registrySchema(scope);
  const url = (): string =>
    resolveSecret(
      `The registry's address of the environment ${name}`,
      chosen.registry?.url ?? fromEnv('GRANARY_REGISTRY_URL'),
    );
  // A setting that is absent is told now, not at the first run.
  url();
  return {
    scope,
    project: isContract(project) ? compiledContract(project) : compile(project, readSecret),
    environments: head.environments,
    providers: bindProviders(name, chosen, schema),
    registry: { url, schema },
  };
}

/** The same project for a part that closes what it is given: the providers stay open. */
export const sharedProviders = (open: OpenProject): OpenProject => ({
  ...open,
  providers: { ...open.providers, close: () => Promise.resolve() },
});

/** Binds an environment's provider names. `schema` is the Postgres schema for online tables; `<schema>_offline` holds what SQL made. */
function bindProviders(environmentName: string, environment: Environment, schema: string): BoundProviders {
  const files = new Map<string, FileProvider>();
  const online = new Map<string, OnlineProvider>();
  const offline = new Map<string, TableProvider>();
  const binding = (name: string): Binding => {
    const found = Object.hasOwn(environment.bind, name) ? environment.bind[name] : undefined;
    if (!found)
      throw new GranaryError(
        'ConfigurationMissing',
        `The environment ${environmentName} does not bind the provider "${name}". ${didYouMean(name, Object.keys(environment.bind))} Add bind: { ${name}: ... }.`,
      );
    return found;
  };
  const bound: BoundProviders = {
    checkHealth: (provider) => checkHealth({ ...bound, binding }, provider),
    files(name) {
      const known = files.get(name);
      if (known) return known;
      const bound = binding(name);
      if (bound.type !== 'localFiles' && bound.type !== 's3')
        throw wrongKind(environmentName, name, bound.type, 'files: localFiles(...) or s3(...)');
      const made =
        bound.type === 's3'
          ? s3FileProvider({
              ...bound,
              endpoint:
                bound.endpoint === undefined
                  ? undefined
                  : resolveSecret(`The endpoint of the file store "${name}"`, bound.endpoint),
              cache: cacheOptions(bound.cache),
            })
          : localFileProvider({ root: resolve(bound.root) });
      files.set(name, made);
      return made;
    },
    online(name) {
      const known = online.get(name);
      if (known) return known;
      const bound = binding(name);
      if (bound.type !== 'redis' && bound.type !== 'postgresOnline')
        throw wrongKind(
          environmentName,
          name,
          bound.type,
          'an online store: redisStore(...) or postgresStore(...)',
        );
      const what = `the online store "${name}"`;
      const { entityKeySerialization = 3 } = bound;
      const made =
        bound.type === 'redis'
          ? // Read where it is used, and again after it was rotated.
            redisOnlineProvider({
              url: () => redisUrl(what, bound),
              ...(bound.ca === undefined ? {} : { ca: caOf(what, bound.ca) }),
              entityKeySerialization,
            })
          : postgresOnlineProvider({ url: () => postgresUrl(what, bound), schema, entityKeySerialization });
      online.set(name, made);
      return made;
    },
    offline(name) {
      const known = offline.get(name);
      if (known) return known;
      const bound = binding(name);
      if (bound.type !== 'postgres')
        throw wrongKind(environmentName, name, bound.type, 'a database of sources: postgresDatabase(...)');
      const made = postgresOfflineProvider({
        url: () => postgresUrl(`the database "${name}"`, bound),
        schema: wholeName(`${schema}_offline`),
      });
      offline.set(name, made);
      return made;
    },
    async close() {
      await Promise.all(
        [...files.values(), ...online.values(), ...offline.values()].map((provider) => provider.close()),
      );
    },
  };
  return bound;
}

const caOf = (what: string, ca: Secret) => (): string =>
  resolveSecret(`The certificate authority of ${what}`, ca);

const wrongKind = (environment: string, name: string, type: string, needed: string): GranaryError =>
  new GranaryError(
    'ConfigurationMissing',
    `The environment ${environment} binds "${name}" to ${type}, but it is used as ${needed}.`,
  );
