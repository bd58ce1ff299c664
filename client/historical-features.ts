import { rm } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Timestamp } from '../definitions/timestamp.js';
import type { FeatureChoice, FeatureRow } from '../definitions/training-row.js';
import type { Schema } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import { makeScratch } from '../providers/own-folder.js';
import type { FileRelation, JoinedView } from '../providers/offline/provider.js';
import { reachOf } from '../providers/offline/join-shape.js';
import type { Bounds } from '../providers/offline/source-relation.js';
import type { Registry } from '../registry/registry.js';
import { readFiles, type DatasetRows } from './dataset-rows.js';
import { stageEntityRows, type EntityRows, type StagedEntityRows } from './entity-rows.js';
import type { FeatureReference } from './feature-vectors.js';
import { askedViews, checkJoinTimes, joinedViews, keyColumns } from './joined-features.js';
import type { RowParts } from './row-parts.js';
import { openScratch, scratchParent } from './scratch.js';
import { sourceFiles } from './source-files.js';
import { storedRows, type StoredRows } from './stored-rows.js';

/** What to join with which rows. */
export interface HistoricalFeaturesOptions<
  E extends EntityRows = EntityRows,
  F extends readonly FeatureReference[] = readonly FeatureReference[],
  Full extends boolean = boolean,
> {
  /**
   * Rows with the join keys (of a view chosen by role `<role>__<key>`) and the time that values are wanted for. A Parquet file and Arrow are taken
   * as they are. Of CSV and objects, keys are of the entity's type, times ISO-8601 (without a zone: UTC), and the rest is inferred.
   */
  readonly entityRows: E;
  /** Views, selections of them (`select`, `for`, `lag`), or names: `view`, `view:feature`. */
  readonly features: F;
  /**
   * The column of the time; default `event_timestamp`. Rows without any time take the newest values, as do all with `null`; rows with times in other
   * columns alone are refused (`InvalidInput`), since the newest values know what came after.
   */
  readonly timestampField?: string | null;
  /** Names every feature's column `<view>__<feature>`; default: only where another column has the feature's name. */
  readonly fullFeatureNames?: Full;
  /** A feature row counts only if its created timestamp is at or before the row's time. */
  readonly knownAt?: boolean;
}

/** The columns of objects whose type says them; of others nobody knows them before they are read. */
type Given<E> = E extends readonly (infer R)[] ? (string extends keyof R ? never : keyof R) : never;

/** A row with its features: the caller's columns, then the features that definitions tell. */
export type HistoricalRow<E, F extends readonly FeatureReference[], Full> = [
  Extract<F[number], string>,
] extends [never]
  ? F extends readonly FeatureChoice[]
    ? FeatureRow<F, Full extends true ? string : Given<E>> & Readonly<Record<string, unknown>>
    : never
  : Readonly<Record<string, unknown>>;

/**
 * Rows with their features. They are joined once, when something is first asked for, and are kept in a file until they are closed: by `close()`, by `await
 * using`, or with the client.
 */
export interface HistoricalRows<R> extends StoredRows<R>, AsyncIterable<R>, AsyncDisposable {
  /** Removes the file. */
  close(): Promise<void>;
}

/** What historical features are read from. */
interface Place {
  readonly open: OpenProject;
  readonly registry: Registry;
}

/** Joins rows with features as they were at each row's time. Nothing is done before something is asked for. */
export function historicalFeatures<R>(
  place: Place,
  options: HistoricalFeaturesOptions,
  onClose: () => void,
): HistoricalRows<R> {
  let joined: Promise<{ readonly rows: RowParts; readonly folder: string }> | undefined;
  const load = async (): Promise<RowParts> => {
    const joining = (joined ??= joinRows(place, options));
    try {
      return (await joining).rows;
    } catch (error) {
      // What failed may be mended, and asked for again.
      if (joined === joining) joined = undefined;
      throw error;
    }
  };
  const stored = storedRows<R>(load);
  const close = async (): Promise<void> => {
    const folder = await joined?.then(
      (done) => done.folder,
      () => undefined,
    );
    joined = undefined;
    onClose();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  return { ...stored, [Symbol.asyncIterator]: () => stored.rows(), close, [Symbol.asyncDispose]: close };
}

async function joinRows(
  { open, registry }: Place,
  {
    entityRows,
    features,
    timestampField,
    fullFeatureNames = false,
    knownAt = false,
  }: HistoricalFeaturesOptions,
): Promise<{ readonly rows: RowParts; readonly folder: string }> {
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const asked = askedViews(await registry.resources.all(), features);
  await using scratch = await openScratch({
    memoryLimit: `${Math.max(512, Math.floor(totalmem() / 2 ** 21))}MiB`,
    threads: availableParallelism(),
  });
  const rows = await stageEntityRows(
    entityRows,
    {
      keys: keyColumns(asked),
      timestampField: timestampField === undefined ? 'event_timestamp' : timestampField,
      isNamed: timestampField !== undefined,
    },
    scratch,
  );
  checkJoinTimes(asked, { isTimed: rows.timestampField !== undefined, knownAt });
  const { schema: joined, views: named } = joinedViews(asked, rows.schema, fullFeatureNames);
  const views: JoinedView[] = [];
  const read = new Map<string, Promise<FileRelation>>();
  const sources = { providers: open.providers, registry, scratch };
  for (const { source, view } of named) {
    // A source that several views read is read once.
    const relation =
      read.get(source.id) ??
      sourceFiles(
        sources,
        source,
        reach(
          rows,
          named.filter((other) => other.source.id === source.id).map((other) => other.view),
        ),
      );
    read.set(source.id, relation);
    views.push({ ...view, relation: await relation });
  }
  const schema: Schema = { ...rows.schema, ...joined };
  const folder = await makeScratch(scratchParent());
  try {
    const parquet = join(folder, 'historical-features.parquet');
    await scratch.session.pointInTimeJoin({
      spine: {
        relation: rows.relation,
        ...(rows.timestampField === undefined ? {} : { timestampField: rows.timestampField }),
        columns: Object.entries(rows.schema).map(([column, type]) => ({ column, as: column, type })),
        orderBy: [rows.rowNumber],
      },
      views,
      knownAt,
      output: { name: 'the historical features', schema, keys: [], parquet },
    });
    return { rows: { schema, parts: [joinedPart(parquet, schema)] }, folder };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** What rows of one of these times can meet in a source: nothing after the last, nothing that every TTL has ended for before the first. */
function reach({ times }: StagedEntityRows, views: readonly Omit<JoinedView, 'relation'>[]): Bounds {
  if (times === undefined) return {};
  const [first, last] = [Timestamp.from(times.min).micros, Timestamp.from(times.max).micros];
  const reaches = views.map((view) => reachOf(view, { first, last }));
  const before = reaches.reduce((most, reach) => (reach.before > most ? reach.before : most), YEAR_1);
  const from = reaches.reduce((least, { from: one = YEAR_1 }) => (one < least ? one : least), last);
  return {
    before: new Timestamp(before).toString(),
    ...(from <= YEAR_1 ? {} : { from: new Timestamp(from).toString() }),
  };
}

/** Before it no database's timestamp is written as ISO-8601. */
const YEAR_1 = -62_135_596_800_000_000n;

function joinedPart(path: string, schema: Schema): DatasetRows {
  const uri = pathToFileURL(path).href;
  const files = (): Promise<FileRelation> =>
    Promise.resolve({
      name: 'the historical features',
      format: 'parquet',
      files: [{ path, uri, generation: 0 }],
      schema,
    });
  return {
    uri,
    schema,
    files,
    batches: (read, scratch) => readFiles(files, read, scratch),
    whole: (format) => Promise.resolve(format === 'parquet' ? { path } : undefined),
  };
}
