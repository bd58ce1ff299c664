/** A read, and the name of the online store that it goes to. */
export interface StoreRead<R> {
  readonly store: string;
  readonly read: R;
}

/** Asks each online store once for all of its reads, side by side, and gives what they answer in the order of the reads. */
export async function readByStore<R, T>(
  reads: readonly StoreRead<R>[],
  ask: (store: string, reads: readonly R[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  await Promise.all(
    [...new Set(reads.map(({ store }) => store))].map(async (store) => {
      const places = reads.flatMap((one, i) => (one.store === store ? [i] : []));
      const answers = await ask(
        store,
        places.flatMap((i) => reads[i]?.read ?? []),
      );
      for (const [i, answer] of answers.entries()) {
        const place = places[i];
        if (place !== undefined) found[place] = answer;
      }
    }),
  );
  return found;
}
