import {
  isKind,
  orderedSchema,
  tableName,
  type FileSourceSpec,
  type Resource,
  type TableSourceSpec,
} from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { Row, Schema, ValueType } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import { rowsOf } from '../providers/rows.js';
import { graphOf } from '../registry/catalog-graph.js';
import { findEntry } from '../registry/catalog-names.js';
import type { Registry } from '../registry/registry.js';
import { openScratch } from './scratch.js';
import { openTrainingRows } from './training-rows.js';

/** The first rows of a resource. */
export interface Preview {
  /** The resource's id, and the version where it has some: `source/totals.1a2b3c4d@v_20260131T000312`. */
  readonly of: string;
  readonly columns: readonly { readonly name: string; readonly type: ValueType }[];
  readonly rows: readonly Row[];
}

/**
 * The first rows of a raw source's files in the order of their names, of its table, or of a version.
 * @throws GranaryError `InvalidInput` for what has no rows of its own; `SourceMissing` without files or version.
 */
export async function previewRows(
  { open, registry }: { readonly open: OpenProject; readonly registry: Registry },
  name: string,
  { limit, version }: { readonly limit: number; readonly version?: string },
): Promise<Preview> {
  await registry.migrate();
  const entries = await registry.catalog.entries();
  const entry = findEntry(entries, name);
  const resource = (await registry.resources.all()).get(entry.id);
  if (resource && isKind(resource, 'source') && resource.spec.type === 'file')
    return await previewFiles(open, resource, resource.spec, limit);
  if (resource && isKind(resource, 'source') && resource.spec.type === 'table')
    return await previewTable(open, resource, resource.spec, limit);
  if (!resource || (resource.kind !== 'source' && resource.kind !== 'trainingSet')) {
    const source = (graphOf(entries).reads.get(entry.id) ?? []).find((id) => id.startsWith('source/'));
    throw new GranaryError(
      'InvalidInput',
      `${entry.id} has no rows of its own: sources and training sets have.${source === undefined ? '' : ` It reads ${source}: granary preview ${source}`}`,
    );
  }
  const choice = version === undefined ? {} : { version };
  const qualified = `${resource.name}.${resource.variant}`;
  const found = await openTrainingRows<Row>(open, registry, qualified, choice, resource.kind);
  const rows: Row[] = [];
  for await (const row of found.rows({ limit })) rows.push(row);
  return {
    of: `${entry.id}@${found.datasets.map((d) => d.version).join(', ')}`,
    columns: columnsOf(found.schema),
    rows,
  };
}

async function previewFiles(
  { providers }: OpenProject,
  { id, name }: Resource,
  spec: FileSourceSpec,
  limit: number,
): Promise<Preview> {
  const store = providers.files(spec.store);
  const files = await store.list(spec.path);
  if (files.length === 0)
    throw new GranaryError(
      'SourceMissing',
      `The source ${name} has no file: ${store.uri('')}/${spec.path} matches none.`,
    );
  const schema = orderedSchema(spec);
  const rows: Row[] = [];
  await using scratch = await openScratch();
  // One file after the other: more are fetched only while rows are wanting.
  for (const file of files) {
    const path = await scratch.hold.run(() => store.localPath(file));
    const relation = {
      name: `source ${name}`,
      format: spec.format,
      files: [{ path, uri: store.uri(file), generation: 0 }],
      schema,
    };
    for await (const row of rowsOf(scratch.session.read(relation, { limit: limit - rows.length }), schema))
      rows.push(row);
    if (rows.length >= limit) break;
  }
  return { of: id, columns: columnsOf(schema), rows };
}

/** The first rows that the database gives, in no order of ours, in their declared types. */
async function previewTable(
  { providers }: OpenProject,
  { id, name }: Resource,
  spec: TableSourceSpec,
  limit: number,
): Promise<Preview> {
  const schema = orderedSchema(spec);
  const rows: Row[] = [];
  await using session = await providers.offline(spec.store).open({ signal: new AbortController().signal });
  const relation = {
    name: `source ${name}`,
    table: tableName(spec),
    schema,
  };
  for await (const row of rowsOf(session.read(relation, { limit }), schema)) rows.push(row);
  return { of: id, columns: columnsOf(schema), rows };
}

const columnsOf = (schema: Schema): Preview['columns'] =>
  Object.entries(schema).map(([name, type]) => ({ name, type }));
