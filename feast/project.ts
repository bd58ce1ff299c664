import type { KeyType } from '../definitions/entity.js';
import type { ValueType } from '../definitions/types.js';

/** What Feast is to know of a project in one environment: names are those of Feast. */
export interface FeastProject {
  readonly name: string;
  readonly entities: readonly FeastEntity[];
  readonly views: readonly FeastView[];
  readonly services: readonly FeastService[];
}

/** What is for people. */
export interface FeastAbout {
  readonly description?: string;
  readonly owner?: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** An entity of Feast has one join key. */
export interface FeastEntity extends FeastAbout {
  readonly name: string;
  readonly joinKey: string;
  readonly type: KeyType;
}

export interface FeastView extends FeastAbout {
  readonly name: string;
  /** Names of entities, in the order of the join keys. */
  readonly entities: readonly string[];
  readonly joinKeys: readonly { readonly name: string; readonly type: KeyType }[];
  readonly features: readonly { readonly name: string; readonly type: ValueType }[];
  /** Microseconds; absent: no limit. */
  readonly ttl?: bigint;
  readonly online: boolean;
  /** Where training reads it from; absent where Feast has no reader for it. */
  readonly source?: FeastFileSource;
}

/** A Parquet file as a source. */
export interface FeastFileSource extends FeastAbout {
  readonly name: string;
  /** An absolute path or `s3://...`. */
  readonly uri: string;
  /** The address of an S3-compatible server. */
  readonly s3Endpoint?: string;
  readonly timestampField: string;
  readonly createdTimestampField?: string;
  /** Column -> the name that the view has it under. */
  readonly fieldMapping: Readonly<Record<string, string>>;
}

export interface FeastService extends FeastAbout {
  readonly name: string;
  readonly projections: readonly {
    readonly view: string;
    readonly features: readonly { readonly name: string; readonly type: ValueType }[];
    readonly alias?: string;
    readonly joinKeyMap: Readonly<Record<string, string>>;
  }[];
}
