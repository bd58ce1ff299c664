import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { registryPath } from '../activities/export-feast.js';
import { feastProjectOf } from '../activities/feast-project.js';
import { writtenStores } from '../activities/staging.js';
import { isKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { PostgresAddress } from '../definitions/postgres.js';
import type { Environment } from '../definitions/project.js';
import type { Binding, OnlineLayout, RedisAddress } from '../definitions/provider.js';
import type { Secret } from '../definitions/secret.js';
import { pythonDefinitions } from '../feast/python-definitions.js';
import { featureStoreYaml, type FeastOnlineSettings } from '../feast/store-yaml.js';
import { postgresUrl, redisUrl } from '../providers/addresses.js';
import type { Opened } from './catalog.js';

/** By this a file is known as one of ours, which a new export may replace. */
const MARK = 'Made by `granary feast export`';
const STORE = 'feature_store.yaml';
const DEFINITIONS = 'features.py';

/**
 * Writes `feature_store.yaml` and `features.py` of what is registered into a folder, which is made where there is none; resolves to their paths.
 * Files of a former export are replaced. Passwords become `${NAME}`, which Feast takes from its environment.
 * @param onlineStore needed where views lie in several: Feast knows one
 * @throws GranaryError `InvalidInput`, with nothing written: nothing is registered, no or several online stores, a file that is somebody's own.
 */
export async function exportToFeast(
  { open, registry }: Pick<Opened, 'open' | 'registry'>,
  folder: string,
  onlineStore?: string,
): Promise<readonly string[]> {
  const { scope, providers, environments } = open;
  await registry.migrate();
  const resources = await registry.resources.all();
  const [files] = writtenStores(resources.values());
  if (files === undefined)
    throw new GranaryError(
      'InvalidInput',
      `Nothing of ${scope.project} is registered in ${scope.environment} that Feast could read. Run granary apply first.`,
    );
  const stores = new Set(
    [...resources.values()].flatMap((r) =>
      isKind(r, 'view') && r.spec.online !== undefined ? [r.spec.online] : [],
    ),
  );
  const chosen = chooseStore(stores, onlineStore);
  const { bind } = environments[scope.environment] as Environment;
  const { online, notes } = onlineSettings(chosen, bind[chosen], open.registry.schema);
  const store = providers.files(files);
  const uri = store.uri(registryPath(scope.environment));
  const project = feastProjectOf(scope, resources, (name) => providers.files(name));
  const written: readonly (readonly [string, string])[] = [
    [
      STORE,
      featureStoreYaml({
        project: project.name,
        registry: uri.startsWith('file:') ? fileURLToPath(uri) : uri,
        entityKeySerialization: (bind[chosen] as OnlineLayout).entityKeySerialization ?? 3,
        online,
        notes: [
          ...notes,
          ...(store.endpoint === undefined
            ? []
            : [
                `Set FEAST_S3_ENDPOINT_URL=${store.endpoint} and AWS_ENDPOINT_URL to the same, with the credentials of the bucket.`,
              ]),
        ],
      }),
    ],
    [DEFINITIONS, pythonDefinitions(project)],
  ];
  const target = resolve(folder);
  for (const [name] of written) await refuseForeign(join(target, name));
  await mkdir(target, { recursive: true });
  for (const [name, text] of written) await replaceFile(join(target, name), text);
  return written.map(([name]) => join(target, name));
}

function chooseStore(stores: ReadonlySet<string>, asked: string | undefined): string {
  const names = [...stores].sort();
  const listed = names.join(', ');
  if (asked !== undefined) {
    if (stores.has(asked)) return asked;
    throw new GranaryError(
      'InvalidInput',
      `No view is served from an online store "${asked}". There ${names.length === 1 ? 'is' : 'are'}: ${listed || 'none'}.`,
    );
  }
  const [only, other] = names;
  if (only === undefined)
    throw new GranaryError(
      'InvalidInput',
      'No view is served online, so Feast has nothing to read. Declare one with online: <store>, and apply.',
    );
  if (other !== undefined)
    throw new GranaryError(
      'InvalidInput',
      `Views lie in several online stores (${listed}), and Feast knows one a project. Choose with --online-store.`,
    );
  return only;
}

/** A password by the name of its variable; of one that comes from elsewhere, by a name that the reader is told of. */
function passwordOf(
  setting: Secret | undefined,
  fallback: string,
): { text: string; notes: readonly string[] } {
  if (setting && 'env' in setting) return { text: `\${${setting.env}}`, notes: [] };
  const from = setting && 'file' in setting ? `from the file ${setting.file}` : 'of the online store';
  return { text: `\${${fallback}}`, notes: [`Set ${fallback} to the password ${from}.`] };
}

function onlineSettings(
  name: string,
  binding: Binding | undefined,
  schema: string,
): { readonly online: FeastOnlineSettings; readonly notes: readonly string[] } {
  if (binding?.type === 'redis') return redisSettings(name, binding);
  if (binding?.type === 'postgresOnline') return postgresSettings(name, binding, schema);
  throw new GranaryError('ConfigurationMissing', `The environment does not bind the online store "${name}".`);
}

function redisSettings(name: string, binding: RedisAddress) {
  const url = new URL(redisUrl(`the online store "${name}"`, binding));
  const own = 'url' in binding ? undefined : binding.password;
  const password = url.password === '' ? undefined : passwordOf(own, 'REDIS_PASSWORD');
  const { ca } = binding;
  const parts = [
    `${url.hostname}:${url.port || '6379'}`,
    ...(url.pathname.length > 1 && url.pathname !== '/0' ? [`db=${url.pathname.slice(1)}`] : []),
    ...(url.username === '' ? [] : [`username=${decodeURIComponent(url.username)}`]),
    ...(password === undefined ? [] : [`password=${password.text}`]),
    ...(url.protocol === 'rediss:' ? ['ssl=true'] : []),
    ...(ca && 'file' in ca ? [`ssl_ca_certs=${ca.file}`] : []),
  ];
  const notes = [
    ...(password?.notes ?? []),
    ...(ca && 'env' in ca
      ? [
          `Write the certificates of ${ca.env} to a file, and add ssl_ca_certs=<file> to the connection string.`,
        ]
      : []),
  ];
  return { online: { type: 'redis', connectionString: parts.join(',') } as const, notes };
}

function postgresSettings(name: string, binding: PostgresAddress, schema: string) {
  const url = new URL(postgresUrl(`the online store "${name}"`, binding));
  const own = 'url' in binding ? undefined : binding.password;
  // Feast wants one, also where the server asks for none.
  const password = url.password === '' ? { text: '', notes: [] } : passwordOf(own, 'POSTGRES_PASSWORD');
  const rootcert = url.searchParams.get('sslrootcert');
  return {
    online: {
      type: 'postgres',
      host: url.hostname || url.searchParams.get('host') || 'localhost',
      port: Number(url.port || 5432),
      database: decodeURIComponent(url.pathname.slice(1)),
      // Feast puts it into the search path as it is.
      dbSchema: /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : `"${schema}"`,
      user: decodeURIComponent(url.username),
      password: password.text,
      // Feast's default is to require TLS; that of Granary, to use none.
      sslmode: url.searchParams.get('sslmode') ?? 'disable',
      ...(rootcert === null ? {} : { sslrootcert: rootcert }),
    } as const,
    notes: password.notes,
  };
}

async function refuseForeign(path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text !== undefined && !text.includes(MARK))
    throw new GranaryError(
      'InvalidInput',
      `${path} is there and was not made by granary feast export. Move it away, or name another folder; nothing was written.`,
    );
}

/** A reader sees the file before or after, never half of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
