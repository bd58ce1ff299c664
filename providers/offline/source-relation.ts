import { join } from 'node:path';
import { orderedSchema, type Resource } from '../../definitions/contract.js';
import type { FileRelation, OfflineSession, Output, Relation } from './provider.js';
import type { TableProvider, TableRelation } from './table-provider.js';

/** The rows of a source within a time; of one without timestamps all of them. */
export interface Bounds {
  readonly from?: string | undefined;
  readonly before?: string | undefined;
}

/** What a source's relation is wherever its rows lie. */
export function sourceShape({ name, spec }: Resource<'source'>, { from, before }: Bounds = {}): Relation {
  const { timestampField, createdTimestampField } = spec;
  return {
    name: `source ${name}`,
    schema: orderedSchema(spec),
    ...(timestampField === undefined ? {} : { timestampField }),
    ...(createdTimestampField === undefined ? {} : { createdTimestampField }),
    ...(from === undefined || timestampField === undefined ? {} : { from }),
    ...(before === undefined || timestampField === undefined ? {} : { before }),
  };
}

/** An engine of DuckDB and a folder for what it is to read. */
export interface Extraction {
  readonly session: OfflineSession;
  readonly folder: string;
  readonly signal: AbortSignal;
}

let extracts = 0;
/** Rows of a part: what the engine holds in memory at a time. */
const PART_ROWS = 500_000;

/**
 * A table's rows as a Parquet file in a folder, for DuckDB: extracted by binary COPY straight into columns. Sorted, because a database
 * gives its rows in any order and a sum over floating-point values depends on it.
 */
export async function extractTable(
  provider: TableProvider,
  relation: TableRelation,
  to: Extraction,
): Promise<FileRelation> {
  const path = join(to.folder, `extract-${extracts++}.parquet`);
  const writer = await to.session.writer(outputOf(relation, path));
  await using tables = await provider.open({ signal: to.signal });
  for await (const batch of tables.read(relation)) await writer.appendColumns(batch);
  await writer.finish();
  return asFiles(provider, relation, [path]);
}

/** As {@link extractTable}, in the order in which the rows come, and in constant memory: a file for every so many rows. */
export async function extractInParts(
  provider: TableProvider,
  relation: TableRelation,
  to: Extraction,
): Promise<FileRelation> {
  const extract = extracts++;
  const paths: string[] = [];
  const nextPath = (): string => join(to.folder, `extract-${extract}-${paths.length}.parquet`);
  const writer = await to.session.writer(outputOf(relation, nextPath()));
  const flush = async (): Promise<void> => {
    const path = nextPath();
    await writer.flush(path);
    paths.push(path);
  };
  let rows = 0;
  await using tables = await provider.open({ signal: to.signal });
  for await (const batch of tables.read(relation)) {
    await writer.appendColumns(batch);
    rows += batch.rows;
    if (rows < PART_ROWS) continue;
    await flush();
    rows = 0;
  }
  if (rows > 0) await flush();
  return asFiles(provider, relation, paths);
}

const outputOf = ({ name, schema }: Relation, parquet: string): Output => ({
  name,
  schema,
  keys: [],
  parquet,
});

function asFiles(provider: TableProvider, relation: TableRelation, paths: readonly string[]): FileRelation {
  const { table, versions: _versions, ...shape } = relation;
  const uri = provider.uri(table.table);
  return { ...shape, format: 'parquet', files: paths.map((path) => ({ path, uri, generation: 0 })) };
}
