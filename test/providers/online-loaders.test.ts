import { randomInt } from 'node:crypto';
import { describe, it } from 'vitest';
import { loaderStores } from '../support/loader-stores.js';
import { loadConcurrently } from '../support/concurrent-loaders.js';

// A slice; test/soak has a hundred thousand entities.
describe.each(loaderStores())('loaders of shuffled days side by side in %s', (_, open, url) => {
  it.skipIf(url === undefined)(
    'leave each entity with the row of its newest day, corrections included',
    async () => {
      await loadConcurrently(open, { entities: 5000, days: 5, loaders: 3, seed: randomInt(2 ** 31) });
    },
    60_000,
  );
});
