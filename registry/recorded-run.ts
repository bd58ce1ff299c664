/**
 * What a run was asked for: the request of its first step without its logical time. Enough to start the same again.
 */
export interface RecordedRequest {
  readonly type: 'pipeline' | 'materialize' | 'trainingSet' | 'rollback' | 'promote';
  /** Name of a pipeline. */
  readonly pipeline?: string;
  /** Names of targets instead of, or within, a pipeline. */
  readonly targets?: readonly string[];
  /** The interval that starts on this local date. */
  readonly date?: string;
  /** An interval by its ends, ISO-8601. */
  readonly from?: string;
  readonly to?: string;
  /** Training sets: everything before this instant, from the versions that were recorded then; ISO-8601. */
  readonly asOf?: string;
  /** Builds again what is already valid. */
  readonly rebuild?: boolean;
  /**
   * Materializing what is recorded: nothing is built. `targets` are views, by default all that are served online; `from` and `to` bound what is
   * loaded and may be relative.
   */
  readonly recorded?: boolean;
  /** Materializing: loads everything anew and takes away what no version has; `from` and `to` may be any instants then. */
  readonly fullRefresh?: boolean;
  /** Rollbacks: the version whose bytes are to come back; by default the newest earlier one that differs. */
  readonly version?: string;
  /** Rollbacks, promotions, refreshes: who asks for it, and why. */
  readonly by?: string;
  readonly reason?: string;
  /** Promotions: the variant that is to become the default, or the one that was it before. */
  readonly variant?: string;
  readonly previous?: boolean;
}

/** How a step ended well. */
export interface RecordedResult {
  /** `current`: it was valid already. */
  readonly outcome: 'made' | 'current';
  readonly rows: number;
  readonly version?: string;
  readonly location?: string;
  readonly warnings?: readonly string[];
  /** Milliseconds by part. */
  readonly ms: Readonly<Record<string, number>>;
}
