import { describe, expect, it } from 'vitest';
import { barLine, loadedText, stateLine } from '../../cli/load-lines.js';

const load = {
  step: 'view/totals.v1',
  state: 'loading' as const,
  total: 100_000,
  ...{ written: 33_000, older: 100, skipped: 5 },
};

describe('what granary materialize shows', () => {
  it('draws a bar with the entities written, older and skipped, no wider than the screen', () => {
    expect(barLine(load, 200)).toBe(
      'view/totals.v1 [#######-----------------]  33% 33,105 of 100,000 entities: 33,000 written, 100 older, 5 skipped',
    );
    expect(barLine({ ...load, total: 0, written: 0, older: 0, skipped: 0 }, 200)).toMatch(/\[#{24}\] 100%/);
    expect(barLine(load, 20)).toHaveLength(20);
    expect(barLine({ ...load, state: 'staging' }, 80)).toBe('view/totals.v1 staging');
  });

  it.each([
    ['staging', 'view/totals.v1: staging'],
    ['loading', 'view/totals.v1: loading 100,000 entities'],
    ['current', 'view/totals.v1: valid already'],
    ['done', 'view/totals.v1: done: 33,000 written, 100 older, 5 skipped'],
  ] as const)('writes a line where there is no screen: %s', (state, line) => {
    expect(stateLine({ ...load, state })).toBe(line);
  });

  it('sums a view up', () => {
    const made = { step: 'view/totals.v1', outcome: 'made', rows: 3, location: 'redis', ms: {} } as const;
    expect(
      loadedText({
        ...made,
        loaded: { written: 2, older: 1, unchanged: 0, shards: 1, resumed: 0 },
        intervals: { loaded: 1, valid: 2 },
        check: { compared: 3, newer: 1, missing: 0, different: 0 },
      }),
    ).toBe(
      'view/totals.v1: 3 entities in redis: 2 written, 1 older, 0 skipped; 1 interval loaded; 2 intervals were valid already and skipped; 3 read back and found right',
    );
    expect(loadedText({ ...made, outcome: 'current', intervals: { loaded: 0, valid: 1 } })).toBe(
      'view/totals.v1: nothing to load: 1 interval was valid already',
    );
  });
});
