import { create, equals, fromBinary, toBinary, type Message } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { timestampFromDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import { GranaryError } from '../definitions/errors.js';
import type { FeastProject } from './project.js';
import { objectsOf } from './registry-objects.js';
import {
  DataSourceSchema,
  EntitySchema,
  FeatureServiceSchema,
  FeatureViewSchema,
  ProjectSchema,
  RegistrySchema,
  type Registry,
} from './registry_pb.js';

/** What sets one writing of a registry apart from all others. */
export interface Stamp {
  /** Never given twice: files with equal contents, and so with equal ETags, must not recur. */
  readonly versionId: string;
  readonly now: Date;
}

/**
 * The bytes of a `registry.pb` (Feast 0.67) in which a project's objects are these; `undefined` where `existing` says all of it already. In
 * it the objects of other projects stay, and so does whatever Granary does not write (on-demand views, permissions). An object that
 * stays as it was keeps its times, and a view the intervals that Feast's own `materialize` noted.
 * @throws GranaryError `SourceInvalid` when `existing` is no registry.
 */
export function writeRegistry(
  existing: Uint8Array | undefined,
  project: FeastProject,
  { versionId, now }: Stamp,
): Uint8Array | undefined {
  const registry = existing === undefined ? create(RegistrySchema) : parsed(existing);
  const time = timestampFromDate(now);
  const wanted = objectsOf(project);
  const changes = [
    merge(ProjectSchema, registry.projects, wanted.projects, project.name, time),
    merge(EntitySchema, registry.entities, wanted.entities, project.name, time),
    merge(DataSourceSchema, registry.dataSources, wanted.dataSources, project.name, time),
    merge(FeatureViewSchema, registry.featureViews, wanted.featureViews, project.name, time),
    merge(FeatureServiceSchema, registry.featureServices, wanted.featureServices, project.name, time),
  ];
  if (existing !== undefined && !changes.includes(true)) return undefined;
  registry.registrySchemaVersion = '1';
  registry.versionId = versionId;
  registry.lastUpdated = time;
  return toBinary(RegistrySchema, registry);
}

function parsed(existing: Uint8Array): Registry {
  try {
    return fromBinary(RegistrySchema, existing);
  } catch (cause) {
    throw new GranaryError('SourceInvalid', 'It is no registry of Feast.', { cause });
  }
}

type Times = {
  createdTimestamp?: Timestamp | undefined;
  lastUpdatedTimestamp?: Timestamp | undefined;
  state?: number;
};

/** An object of a registry: all kinds have these. */
interface Held {
  readonly name?: string;
  readonly project?: string;
  readonly spec?: { readonly name: string; readonly project?: string } | undefined;
  meta?: Times | undefined;
}

/** Puts the wanted objects in the place of a project's own; whether anything changed. */
function merge<M extends Message & Held>(
  schema: GenMessage<M>,
  list: M[],
  wanted: readonly M[],
  project: string,
  time: Timestamp,
): boolean {
  const isOwn = (held: M): boolean => projectOf(held) === project;
  const kept = list.filter((held) => !isOwn(held));
  const before = new Map(list.filter(isOwn).map((held) => [nameOf(held), held]));
  let isChanged = list.length - kept.length !== wanted.length;
  const after = wanted.map((object): M => {
    const found = before.get(nameOf(object));
    // A state that Feast's own materialize left behind when it died would keep readers out.
    const isReadable = [0, 4].includes(found?.meta?.state ?? 0);
    if (found && isReadable && equals(schema, { ...found, meta: undefined }, { ...object, meta: undefined }))
      return found;
    isChanged = true;
    const meta: Times | undefined = found?.meta ?? object.meta;
    if (meta) {
      meta.createdTimestamp ??= time;
      meta.lastUpdatedTimestamp = time;
      if (!isReadable) meta.state = 0;
    }
    object.meta = meta;
    return object;
  });
  list.splice(0, list.length, ...kept, ...after);
  return isChanged;
}

const projectOf = ({ project, spec }: Held): string => project ?? spec?.project ?? spec?.name ?? '';
const nameOf = ({ name, spec }: Held): string => spec?.name ?? name ?? '';
