/** Temporal's priority keys, 1 to 5: whose turn it is first. What is not told is 3, as what schedules start. */
export const PRIORITIES = {
  /** A person waits for it. */
  byHand: 2,
  scheduled: 3,
  backfill: 4,
} as const;
