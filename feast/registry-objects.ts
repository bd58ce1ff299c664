import { create } from '@bufbuild/protobuf';
import { listItem, type ScalarType, type ValueType } from '../definitions/types.js';
import type { FeastAbout, FeastFileSource, FeastProject, FeastService, FeastView } from './project.js';
import {
  DataSource_SourceMetaSchema,
  DataSourceSchema,
  EntitySchema,
  FeatureServiceSchema,
  FeatureViewSchema,
  ProjectSchema,
  type DataSource,
  type Entity,
  type FeatureService,
  type FeatureView,
  type Project,
} from './registry_pb.js';
import { LIST_OFFSET, VALUE_FIELDS } from './value.js';

/** Feast's SourceType of a file, and the class that reads it. */
const BATCH_FILE = 1;
const FILE_SOURCE = 'feast.infra.offline_stores.file_source.FileSource';

/** Feast's number of a type (`feast.types.ValueType.Enum`). */
export function feastType(type: ValueType): number {
  const item = listItem(type);
  return item === undefined ? VALUE_FIELDS[type as ScalarType] : VALUE_FIELDS[item] + LIST_OFFSET;
}

/** The objects of a registry that a project has, each kind in the order of its names; their times are not set. */
export function objectsOf(project: FeastProject): {
  readonly projects: Project[];
  readonly entities: Entity[];
  readonly dataSources: DataSource[];
  readonly featureViews: FeatureView[];
  readonly featureServices: FeatureService[];
} {
  const { name } = project;
  const sources = new Map(project.views.flatMap(({ source }) => (source ? [[source.name, source]] : [])));
  return {
    projects: [create(ProjectSchema, { spec: { name }, meta: {} })],
    entities: byName(project.entities).map(entityOf(name)),
    dataSources: byName([...sources.values()]).map((source) =>
      Object.assign(sourceOf(name, source), { meta: create(DataSource_SourceMetaSchema) }),
    ),
    featureViews: byName(project.views).map(viewOf(name)),
    featureServices: byName(project.services).map(serviceOf(name)),
  };
}

const byName = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => (a.name < b.name ? -1 : 1));

const about = ({ description = '', owner = '', tags }: FeastAbout) => ({
  description,
  owner,
  tags: { ...tags },
});

const field = ({ name, type }: { readonly name: string; readonly type: ValueType }) => ({
  name,
  valueType: feastType(type),
});

const entityOf =
  (project: string) =>
  (entity: FeastProject['entities'][number]): Entity =>
    create(EntitySchema, {
      spec: {
        ...about(entity),
        ...{ name: entity.name, project, joinKey: entity.joinKey, valueType: feastType(entity.type) },
      },
      meta: {},
    });

/** Within a view a source has no times of its own: they would differ from those of the listed one. */
const sourceOf = (project: string, source: FeastFileSource): DataSource =>
  create(DataSourceSchema, {
    ...about(source),
    name: source.name,
    project,
    type: BATCH_FILE,
    dataSourceClassType: FILE_SOURCE,
    fieldMapping: { ...source.fieldMapping },
    timestampField: source.timestampField,
    createdTimestampColumn: source.createdTimestampField ?? '',
    fileOptions: {
      fileFormat: { parquetFormat: {} },
      uri: source.uri,
      s3EndpointOverride: source.s3Endpoint ?? '',
    },
  });

const viewOf =
  (project: string) =>
  (view: FeastView): FeatureView =>
    create(FeatureViewSchema, {
      spec: {
        ...about(view),
        name: view.name,
        project,
        entities: [...view.entities],
        entityColumns: view.joinKeys.map(field),
        features: view.features.map(field),
        online: view.online,
        version: 'latest',
        ...(view.ttl === undefined
          ? {}
          : { ttl: { seconds: view.ttl / 1_000_000n, nanos: Number(view.ttl % 1_000_000n) * 1000 } }),
        ...(view.source === undefined ? {} : { batchSource: sourceOf(project, view.source) }),
      },
      meta: {},
    });

const serviceOf =
  (project: string) =>
  (service: FeastService): FeatureService =>
    create(FeatureServiceSchema, {
      spec: {
        ...about(service),
        name: service.name,
        project,
        features: service.projections.map(({ view, features, alias, joinKeyMap }) => ({
          featureViewName: view,
          featureViewNameAlias: alias ?? '',
          featureColumns: features.map(field),
          joinKeyMap: { ...joinKeyMap },
          viewType: 'featureView',
        })),
      },
      meta: {},
    });
