import { randomInt } from 'node:crypto';
import { describe, it } from 'vitest';
import { loaderStores } from '../support/loader-stores.js';
import { loadConcurrently } from '../support/concurrent-loaders.js';

const seed = Number(process.env['GRANARY_SEED'] ?? randomInt(2 ** 31));

describe.each(loaderStores())('loaders of shuffled days side by side in %s', (_, open, url) => {
  it.skipIf(url === undefined)(
    `leave each of 100,000 entities with the row of its newest day, corrections included (seed ${seed})`,
    async () => {
      await loadConcurrently(open, { entities: 100_000, days: 6, loaders: 4, seed });
    },
    1_800_000,
  );
});
