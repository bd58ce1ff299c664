import { listItem, type ScalarType, type ValueType } from '../definitions/types.js';
import type { FeastAbout, FeastFileSource, FeastProject, FeastService, FeastView } from './project.js';

/** Feast's names of the scalars: in `feast.types`, and in `feast.ValueType` (an entity's). */
const TYPES: Readonly<Record<ScalarType, readonly [field: string, entity: string]>> = {
  bytes: ['Bytes', 'BYTES'],
  string: ['String', 'STRING'],
  int32: ['Int32', 'INT32'],
  int64: ['Int64', 'INT64'],
  float64: ['Float64', 'DOUBLE'],
  float32: ['Float32', 'FLOAT'],
  bool: ['Bool', 'BOOL'],
  timestamp: ['UnixTimestamp', 'UNIX_TIMESTAMP'],
};

/**
 * A project's objects as Python that the Feast SDK 0.67 loads (`feast apply` reads every object of a module): the same objects
 * that `registry.pb` holds. Names that are no identifiers of Python get one.
 */
export function pythonDefinitions(project: FeastProject): string {
  const names = new Identifiers();
  const sources = new Map(project.views.flatMap(({ source }) => (source ? [[source.name, source]] : [])));
  const blocks = [
    ...project.entities.map((entity) =>
      assign(names.of('entity', entity.name), 'Entity', [
        ['name', text(entity.name)],
        ['join_keys', list([text(entity.joinKey)])],
        ['value_type', `ValueType.${TYPES[entity.type][1]}`],
        ...about(entity),
      ]),
    ),
    ...[...sources.values()].map((source) => sourceText(names, source)),
    ...project.views.map((view) => viewText(names, view)),
    ...project.services.map((service) => serviceText(names, service)),
  ];
  return `${HEAD(project.name)}\n${blocks.join('\n')}`;
}

const HEAD = (
  project: string,
): string => `# The Feast project ${project}, as Granary has it registered. Made by \`granary feast export\`: changes here are lost.
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import (
    Array,
    Bool,
    Bytes,
    Float32,
    Float64,
    Int32,
    Int64,
    String,
    UnixTimestamp,
)
`;

type Argument = readonly [name: string, value: string];

function sourceText(names: Identifiers, source: FeastFileSource): string {
  const { name, uri, s3Endpoint, timestampField, createdTimestampField, fieldMapping } = source;
  return assign(names.of('source', name), 'FileSource', [
    ['name', text(name)],
    ['path', text(uri)],
    ['file_format', 'ParquetFormat()'],
    ...(s3Endpoint === undefined ? [] : [['s3_endpoint_override', text(s3Endpoint)] as const]),
    ['timestamp_field', text(timestampField)],
    ...(createdTimestampField === undefined
      ? []
      : [['created_timestamp_column', text(createdTimestampField)] as const]),
    ...(Object.keys(fieldMapping).length === 0 ? [] : [['field_mapping', dict(fieldMapping)] as const]),
    ...about(source),
  ]);
}

function viewText(names: Identifiers, view: FeastView): string {
  const fields = [...view.joinKeys, ...view.features].map(
    ({ name, type }) => `Field(name=${text(name)}, dtype=${dtype(type)})`,
  );
  return assign(names.of('view', view.name), 'FeatureView', [
    ['name', text(view.name)],
    ['entities', list(view.entities.map((name) => names.of('entity', name)))],
    ['ttl', `timedelta(microseconds=${view.ttl ?? 0n})`],
    ['schema', list(fields)],
    ['online', view.online ? 'True' : 'False'],
    ...(view.source === undefined ? [] : [['source', names.of('source', view.source.name)] as const]),
    ...about(view),
  ]);
}

function serviceText(names: Identifiers, service: FeastService): string {
  const projections = service.projections.map(({ view, features, alias, joinKeyMap }) =>
    [
      `${names.of('view', view)}[${list(features.map(({ name }) => text(name)))}]`,
      alias === undefined ? '' : `.with_name(${text(alias)})`,
      Object.keys(joinKeyMap).length === 0 ? '' : `.with_join_key_map(${dict(joinKeyMap)})`,
    ].join(''),
  );
  return assign(names.of('service', service.name), 'FeatureService', [
    ['name', text(service.name)],
    ['features', list(projections)],
    ...about(service),
  ]);
}

const about = ({ description, owner, tags }: FeastAbout): Argument[] => [
  ...(description === undefined ? [] : [['description', text(description)] as const]),
  ...(Object.keys(tags).length === 0 ? [] : [['tags', dict(tags)] as const]),
  ...(owner === undefined ? [] : [['owner', text(owner)] as const]),
];

function dtype(type: ValueType): string {
  const item = listItem(type);
  return item === undefined ? TYPES[type as ScalarType][0] : `Array(${TYPES[item][0]})`;
}

const assign = (variable: string, call: string, args: readonly Argument[]): string =>
  `${variable} = ${call}(\n${args.map(([name, value]) => `    ${name}=${value},\n`).join('')})\n`;

const list = (items: readonly string[]): string => `[${items.join(', ')}]`;
const dict = (entries: Readonly<Record<string, string>>): string =>
  `{${Object.entries(entries)
    .map(([key, value]) => `${text(key)}: ${text(value)}`)
    .join(', ')}}`;

/** A text of Python: JSON's escapes mean the same there, but for surrogates, which Python would keep as two characters. */
const text = (value: string): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** Identifiers of Python, one for each object, the same however often it is asked for. */
class Identifiers {
  readonly #given = new Map<string, string>();
  readonly #taken = new Set<string>();

  of(kind: string, name: string): string {
    const known = this.#given.get(`${kind} ${name}`);
    if (known !== undefined) return known;
    // The kind after it keeps it apart from Python's own words and from other kinds.
    const plain = `${name.replace(/\W/g, '_').replace(/^(?=\d)/, '_')}_${kind}`;
    let identifier = plain;
    for (let n = 2; this.#taken.has(identifier); n++) identifier = `${plain}_${n}`;
    this.#taken.add(identifier);
    this.#given.set(`${kind} ${name}`, identifier);
    return identifier;
  }
}
