import { fileURLToPath } from 'node:url';
import { isKind, type Resource } from '../definitions/contract.js';
import { durationMicros } from '../definitions/interval.js';
import { feastProject, type Scope } from '../definitions/project.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { FeastAbout, FeastEntity, FeastFileSource, FeastProject, FeastView } from '../feast/project.js';
import type { FileProvider } from '../providers/files/provider.js';
import { featureServices } from '../registry/feature-services.js';
import { onlineView } from '../registry/online-view.js';
import type { RegisteredResource } from '../registry/resources.js';
import { versionsFolder } from './store-version.js';

type Registered = ReadonlyMap<string, RegisteredResource>;

/**
 * What Feast is to know of registered resources. An entity of several join keys is as many entities there, `<entity>__<join key>`, for
 * Feast's have one; a view has a source where its rows lie in one Parquet file, or folder, and have an event timestamp.
 */
export function feastProjectOf(
  scope: Scope,
  resources: Registered,
  files: (store: string) => Pick<FileProvider, 'uri' | 'endpoint'>,
): FeastProject {
  const all = [...resources.values()];
  return {
    name: feastProject(scope),
    entities: all.flatMap((resource) => (isKind(resource, 'entity') ? entitiesOf(resource) : [])),
    views: all.flatMap((resource) =>
      isKind(resource, 'view') ? [viewOf(scope, resources, resource as never, files)] : [],
    ),
    services: featureServices(resources).services.map(({ name, about, projections }) => ({
      ...aboutOf(about),
      name,
      projections,
    })),
  };
}

/** Tags are names with a value in Feast; properties are such already. */
const aboutOf = ({ description, owner, tags = [], properties = {} }: Resource['about']): FeastAbout => ({
  ...(description === undefined ? {} : { description }),
  ...(owner === undefined ? {} : { owner }),
  tags: { ...Object.fromEntries(tags.map((tag) => [tag, 'true'])), ...properties },
});

function entitiesOf({ name, about, spec }: Resource<'entity'>): FeastEntity[] {
  const keys = Object.entries(spec.joinKeys);
  return keys.map(([joinKey, type]) => ({
    ...aboutOf(about),
    name: keys.length === 1 ? name : `${name}__${joinKey}`,
    ...{ joinKey, type },
  }));
}

function viewOf(
  scope: Scope,
  resources: Registered,
  view: RegisteredResource & Resource<'view'>,
  files: (store: string) => Pick<FileProvider, 'uri' | 'endpoint'>,
): FeastView {
  const { ttl, online, source: id } = view.spec;
  const entities = view.spec.entities
    .map((entity) => resourceOf(resources, entity, 'entity'))
    .flatMap(entitiesOf);
  const source = sourceOf(resourceOf(resources, id, 'source'), view, files);
  const { name, joinKeys, features } = onlineView(scope, view);
  return {
    ...aboutOf(view.about),
    ...{ name, joinKeys, features },
    entities: joinKeys.map((key) => entities.find(({ joinKey }) => joinKey === key.name)?.name ?? key.name),
    online: online !== undefined,
    ...(ttl === undefined ? {} : { ttl: durationMicros(ttl) }),
    ...(source === undefined ? {} : { source }),
  };
}

function sourceOf(
  source: RegisteredResource & Resource<'source'>,
  view: RegisteredResource & Resource<'view'>,
  files: (store: string) => Pick<FileProvider, 'uri' | 'endpoint'>,
): FeastFileSource | undefined {
  const { spec } = source;
  const path =
    spec.type === 'featureSet' && spec.engine === undefined
      ? `${versionsFolder(source)}/latest/features.parquet`
      : spec.type === 'file' && spec.format === 'parquet' && !spec.path.includes('*')
        ? spec.path
        : undefined;
  const { timestampField, createdTimestampField, store } = spec;
  if (path === undefined || timestampField === undefined) return undefined;
  const { uri, endpoint } = addressOf(files(store), path);
  const fieldMapping = mappingOf(spec.columns, view);
  return {
    ...aboutOf(source.about),
    // A mapping is a part of a source in Feast: views that map otherwise have sources of their own.
    name: Object.keys(fieldMapping).length === 0 ? source.location : `${source.location}__${view.location}`,
    uri,
    ...(endpoint === undefined ? {} : { s3Endpoint: endpoint }),
    timestampField: fieldMapping[timestampField] ?? timestampField,
    ...(createdTimestampField === undefined
      ? {}
      : { createdTimestampField: fieldMapping[createdTimestampField] ?? createdTimestampField }),
    fieldMapping,
  };
}

/** A path as Feast reads it: absolute, or `s3://...`. An endpoint that bears a password is nothing for a file that many read. */
function addressOf(store: Pick<FileProvider, 'uri' | 'endpoint'>, path: string) {
  const uri = store.uri(path);
  const hasPassword = store.endpoint !== undefined && /^[a-z]+:\/\/[^/]*@/i.test(store.endpoint);
  return {
    uri: uri.startsWith('file:') ? fileURLToPath(uri) : uri,
    endpoint: hasPassword ? undefined : store.endpoint,
  };
}

/**
 * Column -> name in the view, where they differ. A column that two names stand for has the first; a column whose own name is taken that
 * way steps aside, for Feast renames and keeps the rest.
 */
function mappingOf(columns: readonly string[], { spec }: Resource<'view'>): Record<string, string> {
  const named = [...spec.joinKeys, ...spec.features];
  const own = new Set(named.filter(({ name, column }) => name === column).map(({ column }) => column));
  const mapping: Record<string, string> = {};
  for (const { name, column } of named) if (name !== column && !own.has(column)) mapping[column] ??= name;
  const taken = new Set(Object.values(mapping));
  for (const column of columns)
    if (taken.has(column) && mapping[column] === undefined) mapping[column] = `${column}__column`;
  return mapping;
}
