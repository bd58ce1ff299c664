/**
 * Temporal's search attributes that runs set where the server has them, with their types as Temporal names them. A run must not set one that
 * is not registered: its workflow task would fail, again and again.
 */
export const SEARCH_ATTRIBUTES = {
  /** The pipeline's name. */
  GranaryPipeline: 'KEYWORD',
  /** The end of the interval that is made. */
  GranaryIntervalEnd: 'DATETIME',
  /** `warned` or `exceeded`: the run missed a deadline. */
  GranaryDeadline: 'KEYWORD',
} as const;
