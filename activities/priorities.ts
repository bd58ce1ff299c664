/** Temporal's priority keys: whose turn it is first, 1 to 5. What is not told is 3, as what schedules start. */
export const PRIORITIES = { scheduled: 3, backfill: 4 } as const;
