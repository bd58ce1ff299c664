import { join } from 'node:path';
import { orderedSchema, type Resource } from '../../definitions/contract.js';
import { GranaryError } from '../../definitions/errors.js';
import { durationMicros } from '../../definitions/interval.js';
import type { FileRelation, JoinedView, OfflineSession, Output, Relation } from './provider.js';
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

/** A view and what is chosen of it for a join. */
export interface ChosenView {
  readonly view: Resource<'view'>;
  readonly source: Resource<'source'>;
  /** What messages call it. */
  readonly name: string;
  /** The columns of the labels that hold the join keys, in the order of the view's. */
  readonly keys: readonly string[];
  /** Duration text. */
  readonly lag: string | undefined;
  readonly columns: readonly { readonly feature: string; readonly as: string }[];
}

/**
 * The choices of one view for one role at one lag as one, its columns in the view's definition order: among tied rows one row is taken for all of
 * them, however they were asked for, and the view is joined once. In the order in which each was asked for first.
 */
export function oneChoiceEach<C extends ChosenView & { readonly role?: string | undefined }>(
  chosen: readonly C[],
): C[] {
  const groups = new Map<string, C[]>();
  for (const choice of chosen) {
    const { view, role, keys, lag } = choice;
    const before = lag === undefined ? '' : String(durationMicros(lag));
    const group = JSON.stringify([view.id, role ?? '', keys, before]);
    groups.set(group, [...(groups.get(group) ?? []), choice]);
  }
  return [...groups.values()].flatMap((choices) => {
    const columns = choices.flatMap((choice) => choice.columns);
    return choices.slice(0, 1).map((first) => {
      const place = new Map(first.view.spec.features.map(({ name }, i) => [name, i]));
      const placeOf = (feature: string): number => place.get(feature) ?? place.size;
      return { ...first, columns: columns.toSorted((a, b) => placeOf(a.feature) - placeOf(b.feature)) };
    });
  });
}

/** A view's side of a point-in-time join, but for its rows. @throws GranaryError `InvalidDefinition` for a feature that it does not have. */
export function joinedView({
  view,
  source,
  name,
  keys,
  lag,
  columns,
}: ChosenView): Omit<JoinedView, 'relation'> {
  const { timestampField, createdTimestampField } = source.spec;
  const { joinKeys, features, ttl } = view.spec;
  return {
    name,
    on: joinKeys.map(({ column, type }, i) => ({ spine: keys[i] ?? '', feature: column, type })),
    ...(timestampField === undefined ? {} : { timestampField }),
    ...(createdTimestampField === undefined ? {} : { createdTimestampField }),
    ...(ttl === undefined ? {} : { ttl: durationMicros(ttl) }),
    ...(lag === undefined ? {} : { lag: durationMicros(lag) }),
    columns: columns.map(({ feature, as }) => {
      const found = features.find((f) => f.name === feature);
      if (!found)
        throw new GranaryError('InvalidDefinition', `The view ${view.name} has no feature "${feature}".`);
      return { column: found.column, as, type: found.type };
    }),
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
