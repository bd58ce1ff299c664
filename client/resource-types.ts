import type { Schema } from '../definitions/types.js';
import type { About, CatalogEntry, CatalogKind, ResourceRun } from '../registry/catalog.js';
import type { DatasetVersion, VersionProfile } from './versions.js';

/** A resource in a list. */
export interface ResourceSummary {
  readonly id: string;
  readonly kind: CatalogKind;
  readonly name: string;
  /** Empty where there are no variants. */
  readonly variant: string;
  readonly default: boolean;
  readonly status: string | undefined;
  readonly error: string | undefined;
  readonly about: About;
}

/** A resource with its definition and its neighbours. */
export interface ResourceDetail extends ResourceSummary {
  readonly definition: CatalogEntry['spec'];
  readonly fingerprint: string | undefined;
  /** All variants of the name. */
  readonly variants: readonly string[];
  /** What it refers to, and what refers to it, by ids. */
  readonly reads: readonly string[];
  readonly readBy: readonly string[];
  readonly since: string;
}

/** All that is known of a resource. */
export interface ResourceDescription extends ResourceDetail {
  /** Columns, features or join keys with their types. */
  readonly schema: Schema;
  /** Where its data is: addresses of files, a table, an online store. */
  readonly locations: readonly string[];
  /** Of the newest version: what its rows look like, and what its rules found. */
  readonly profile?: VersionProfile;
  /** The newest first. */
  readonly versions: readonly DatasetVersion[];
  readonly runs: readonly ResourceRun[];
}

/** One thing that happened to a resource. */
export interface ResourceEvent {
  readonly at: string;
  /** `user@host`, `Temporal UI`; empty for runs. */
  readonly by: string;
  readonly what: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What the deletion of a resource would do. */
export interface RemovalPlan {
  readonly id: string;
  /** What stands against it; nothing is deleted then. */
  readonly against: readonly string[];
  /** What would go, in words. */
  readonly removes: readonly string[];
}
