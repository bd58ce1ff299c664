import type { EntityKeyVersion } from '../definitions/provider.js';

/** How Feast finds what a project has; what is secret is `${NAME}`, which Feast takes from its environment. */
export interface FeastStoreSettings {
  readonly project: string;
  /** Where `registry.pb` lies: an absolute path or `s3://...`. */
  readonly registry: string;
  readonly entityKeySerialization: EntityKeyVersion;
  readonly online: FeastOnlineSettings;
  /** Sentences for the reader of the file. */
  readonly notes: readonly string[];
}

export type FeastOnlineSettings =
  | { readonly type: 'redis'; readonly connectionString: string }
  | {
      readonly type: 'postgres';
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly dbSchema: string;
      readonly user: string;
      readonly password?: string;
      readonly sslmode?: string;
      readonly sslrootcert?: string;
    };

/** The text of `feature_store.yaml` (Feast 0.67's RepoConfig). */
export function featureStoreYaml(settings: FeastStoreSettings): string {
  const { project, registry, online, entityKeySerialization, notes } = settings;
  const store: readonly (readonly [string, string | number | undefined])[] =
    online.type === 'redis'
      ? [
          ['type', 'redis'],
          ['connection_string', online.connectionString],
        ]
      : [
          ['type', 'postgres'],
          ['host', online.host],
          ['port', online.port],
          ['database', online.database],
          ['db_schema', online.dbSchema],
          ['user', online.user],
          ['password', online.password],
          ['sslmode', online.sslmode],
          ['sslrootcert_path', online.sslrootcert],
        ];
  const lines = [
    '# Made by `granary feast export`: how the Feast SDK reads what Granary has stored.',
    ...notes.map((note) => `# ${note}`),
    `project: ${scalar(project)}`,
    'provider: local',
    'registry:',
    '  registry_type: file',
    `  path: ${scalar(registry)}`,
    '  cache_ttl_seconds: 60',
    'online_store:',
    ...store.flatMap(([key, value]) => (value === undefined ? [] : [`  ${key}: ${scalar(value)}`])),
    'offline_store:',
    '  type: dask',
    `entity_key_serialization_version: ${entityKeySerialization}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** A text in double quotes is JSON's in YAML, too. */
const scalar = (value: string | number): string =>
  typeof value === 'number' ? String(value) : JSON.stringify(value);
