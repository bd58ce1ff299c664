import { fingerprint } from '../definitions/canonical.js';
import type { Interval } from '../definitions/interval.js';

/** One file of a version: where its bytes were staged, and its name in the version's folder. */
export interface LatestFile {
  /** `features.parquet`. */
  readonly name: string;
  /** Path in the store under `_staging/`. */
  readonly staged: string;
  readonly bytes: number;
  /** Lowercase hex. */
  readonly sha256: string;
}

/**
 * What a step reads: files of a raw source, or a committed version. Identities are contents, not places, so that two
 * equal runs record equal inputs.
 */
export type DatasetInput = {
  /** What a training set reads it for: its labels or its features. */ readonly use?: 'label' | 'features';
} & (
  | {
      readonly type: 'files';
      readonly source: string;
      readonly files: readonly { readonly path: string; readonly sha256: string }[];
    }
  | {
      /** A table of others has no versions: what it held is known by when it was read alone. */
      readonly type: 'table';
      readonly source: string;
      /** `public.transactions` */
      readonly table: string;
      /** When the run pinned it, by the registry's clock; ISO-8601. */
      readonly readAt: string;
    }
  | {
      readonly type: 'dataset';
      readonly source: string;
      readonly dataset: string;
      readonly interval: Interval;
      readonly sha256: string;
    }
);

/** A committed version: a reference to stored rows, never the rows. */
export interface Dataset {
  readonly id: string;
  /** The resource that it is a version of. */
  readonly target: string;
  readonly interval: Interval;
  /** Raised when the interval is built again. */
  readonly generation: number;
  /** Folder name, such as `v_20010305T000000`: a label, no order. */
  readonly version: string;
  /** Name of the file store, or of the database. */
  readonly store: string;
  /** Folder in the store that holds the versions; in a database the schema. */
  readonly folder: string;
  /** None when the rows are in a table. */
  readonly files: readonly LatestFile[];
  /** In a database: the name of its resource's table when it was committed (promotions change it, see `TableProvider.describe`), and the one that the rows were staged in. */
  readonly table?: { readonly name: string; readonly staged: string };
  readonly rows: number;
  readonly eventTimes?: { readonly min: string; readonly max: string };
  readonly fingerprint: string;
  /** Hash of the code of a TypeScript build. */
  readonly codeHash?: string;
  /** Whether `latest/` and `latest.json` follow the newest version. */
  readonly hasLatest: boolean;
  readonly run: string;
  /** When it was committed, ISO-8601. */
  readonly committedAt: string;
  readonly published: boolean;
}

/** The name of the Parquet file of a version. */
export const ROWS_FILE = 'features.parquet';
/** The name of the file that says what a version is and how it was made. */
export const METADATA_FILE = 'metadata.json';

/** What identifies a version's rows: the checksum of their file; in a table each version counts as another. */
export const rowsChecksum = (dataset: Pick<Dataset, 'id' | 'files' | 'table'>): string =>
  dataset.table ? dataset.id : (dataset.files.find((file) => file.name === ROWS_FILE)?.sha256 ?? '');

/** Path of a published file. */
export const publishedPath = (dataset: Pick<Dataset, 'folder' | 'version'>, file: string): string =>
  `${dataset.folder}/${dataset.version}/${file}`;

/** A version as what a step reads. */
export function datasetInput(dataset: Dataset): DatasetInput {
  return {
    type: 'dataset',
    source: dataset.target,
    dataset: dataset.id,
    interval: dataset.interval,
    sha256: rowsChecksum(dataset),
  };
}

/** What identifies the contents that a step reads: equal contents give equal hashes, wherever and whenever they were made. */
export const inputsHash = (inputs: readonly DatasetInput[]): string =>
  fingerprint(
    inputs.map((input) =>
      input.type !== 'dataset'
        ? input
        : { source: input.source, use: input.use, interval: input.interval, sha256: input.sha256 },
    ),
  );
