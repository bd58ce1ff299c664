import type { Deadline } from './deadline.js';
import type { PipelineSchedule } from './pipeline.js';
import type { KeyType } from './entity.js';
import type { Split } from './split.js';
import type { Schema, ValueType } from './types.js';
import type { ValidationRule } from './validation.js';

/**
 * Definitions as canonical JSON: what the registry stores, what fingerprints are taken of, and all that activities read.
 * References to other resources are ids such as `source/flights.1a2b3c4d`; nothing here depends on an environment.
 */
export type ResourceKind = 'provider' | 'entity' | 'source' | 'view' | 'label' | 'trainingSet';

export interface ProviderSpec {
  readonly type: 'files' | 'online' | 'postgres';
}

export interface EntitySpec {
  readonly joinKeys: Readonly<Record<string, KeyType>>;
}

interface SourceCommon {
  /** Name of the file store, or of the database. */
  readonly store: string;
  readonly schema: Schema;
  /** The schema's columns in definition order: canonical JSON sorts the keys of an object. */
  readonly columns: readonly string[];
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
}

export interface FileSourceSpec extends SourceCommon {
  readonly type: 'file';
  readonly format: 'parquet' | 'csv';
  readonly path: string;
}

/** A table or a view of a database. */
export interface TableSourceSpec extends SourceCommon {
  readonly type: 'table';
  readonly table: string;
  /** The database's schema that the table is in; absent: `public`. */
  readonly dbSchema?: string;
}

export interface BuiltSourceSpec extends SourceCommon {
  readonly type: 'featureSet' | 'transformation';
  /** Where the SQL runs, and its rows stay; absent: DuckDB, and files. */
  readonly engine?: 'postgres';
  /** Name within the build -> source id. For SQL the names are the ids' `name.variant`. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Canonical SQL with `{{name.variant}}` and `{{interval.start}}`, or a TypeScript handler in the worker. */
  readonly build: { readonly sql: string } | { readonly handler: string; readonly codeVersion?: string };
  readonly keys: readonly string[];
  readonly lookback?: string;
  readonly validate: readonly ValidationRule[];
  readonly deterministic: boolean;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

export type SourceSpec = FileSourceSpec | TableSourceSpec | BuiltSourceSpec;

/** A source that is there and that no run makes. */
export const isRaw = (spec: SourceSpec): spec is FileSourceSpec | TableSourceSpec =>
  spec.type === 'file' || spec.type === 'table';

/** Whether a source's rows lie in a database: a raw table, or what SQL made there. */
export const inDatabase = (spec: SourceSpec): boolean =>
  spec.type === 'table' || (spec.type !== 'file' && spec.engine === 'postgres');

export interface ViewSpec {
  readonly entities: readonly string[];
  readonly source: string;
  readonly joinKeys: readonly { readonly name: string; readonly column: string; readonly type: KeyType }[];
  readonly features: readonly { readonly name: string; readonly column: string; readonly type: ValueType }[];
  /** Duration text. */
  readonly ttl?: string;
  /** Name of the online store. */
  readonly online?: string;
}

export interface LabelSpec {
  readonly source: string;
  readonly value: string;
  readonly type: ValueType;
  readonly timestampField?: string;
  readonly roles: readonly {
    readonly role: string;
    readonly entity: string;
    readonly keys: readonly { readonly name: string; readonly column: string; readonly type: KeyType }[];
  }[];
}

export interface TrainingSetSpec {
  readonly label: string;
  /** Name of the file store, or of the database. */
  readonly store: string;
  /** Where it is joined, and its rows stay; absent: DuckDB, and files. */
  readonly engine?: 'postgres';
  readonly features: readonly {
    readonly view: string;
    readonly role: string;
    /** How long before the label's time, as a duration text. */
    readonly lag?: string;
    readonly columns: readonly { readonly feature: string; readonly as: string }[];
  }[];
  /** Columns of the label's source before the features. */
  readonly include: readonly string[];
  /** An SQL condition over the columns of the label's source. */
  readonly where?: string;
  /** The rows' parts, in a first column `split`. */
  readonly split?: Split;
  readonly knownAt?: true;
  readonly requireTimestamps?: true;
  readonly validate?: readonly ValidationRule[];
}

export type SpecOf = {
  provider: ProviderSpec;
  entity: EntitySpec;
  source: SourceSpec;
  view: ViewSpec;
  label: LabelSpec;
  trainingSet: TrainingSetSpec;
};

/** A definition, compiled. */
export interface Resource<K extends ResourceKind = ResourceKind> {
  /** `source/flights.1a2b3c4d`; providers and entities have no variant: `entity/airport`. */
  readonly id: string;
  readonly kind: K;
  readonly name: string;
  /** Empty for providers and entities. */
  readonly variant: string;
  /** SHA-256 of kind, name and spec. */
  readonly fingerprint: string;
  readonly spec: SpecOf[K];
  readonly about: {
    readonly description?: string;
    readonly owner?: string;
    readonly tags?: readonly string[];
    readonly properties?: Readonly<Record<string, string>>;
  };
  /** The longest one attempt of its heavy step may take. */
  readonly timeout?: string;
  /** By when after an interval's end its step must be done. */
  readonly deadline?: Deadline;
}

/** A pipeline with its targets resolved to ids. */
export interface PipelineSpec {
  readonly name: string;
  readonly targets: readonly string[];
  readonly schedule: PipelineSchedule;
  readonly startDate: string;
  readonly endDate?: string;
  readonly retries: { readonly max: number; readonly delay: string };
  readonly dependsOnPast?: true;
  /** Intervals before its own that a scheduled run goes over. */
  readonly lookback?: number;
  readonly deadline?: Deadline;
  readonly about: {
    readonly description?: string;
    readonly owner?: string;
    readonly tags?: readonly string[];
    readonly properties?: Readonly<Record<string, string>>;
  };
}

export const isKind = <K extends ResourceKind>(resource: Resource, kind: K): resource is Resource<K> =>
  resource.kind === kind;

/** Where a raw table lies in its database. */
export const tableName = ({
  table,
  dbSchema = 'public',
}: Pick<TableSourceSpec, 'table' | 'dbSchema'>): { readonly schema: string; readonly table: string } => ({
  schema: dbSchema,
  table,
});

/** The schema with its columns in definition order. */
export function orderedSchema(spec: {
  readonly schema: Schema;
  readonly columns: readonly string[];
}): Schema {
  return Object.fromEntries(spec.columns.map((column) => [column, spec.schema[column] as ValueType]));
}
