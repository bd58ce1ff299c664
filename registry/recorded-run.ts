/**
 * What a run was asked for: the request of its first step without its logical time. Enough to start the same again.
 */
export interface RecordedRequest {
  readonly type: 'pipeline' | 'materialize' | 'trainingSet' | 'rollback' | 'promote';
  readonly pipeline?: string;
  readonly targets?: readonly string[];
  readonly date?: string;
  readonly from?: string;
  readonly to?: string;
  readonly asOf?: string;
  readonly rebuild?: boolean;
  readonly recorded?: boolean;
  readonly fullRefresh?: boolean;
  readonly version?: string;
  readonly by?: string;
  readonly reason?: string;
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
