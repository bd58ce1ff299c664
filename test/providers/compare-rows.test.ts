import { expect, it } from 'vitest';
import { compareRows, newComparison } from '../../providers/online/compare-rows.js';
import type { OnlineView } from '../../providers/online/provider.js';

const view: OnlineView = {
  project: 'shop_dev',
  name: 'totals',
  joinKeys: [{ name: 'user_id', type: 'int64' }],
  features: [
    { name: 'n', type: 'int64' },
    { name: 'scores', type: 'list<float64>' },
  ],
};
const T0 = 1_767_225_600_000_000n;

it.each([
  ['of the same time and values is equal', 500_000n, [2n, [1, null]], 'equal'],
  ['of the same time with other values stays, as Feast leaves it', 500_000n, [3n, [1]], 'newer'],
  ['a microsecond newer is newer', 500_001n, [3n, [1]], 'newer'],
  ['a microsecond older with other values is different', 499_999n, [3n, [1]], 'different'],
  ['of the whole second before with other values is different', 0n, [3n, [1]], 'different'],
  ['of the whole second before with the same values is different', 0n, [2n, [1, null]], 'different'],
] as const)("a row of Feast's own %s", (_, micros, values, expected) => {
  const into = newComparison();
  const batch = {
    rows: 1,
    keys: [[7n]],
    values: [[2n], [[1, null]]],
    eventTimes: [T0 + 500_000n],
    createdTimes: [null],
    generations: [1],
  };
  // Read back from the store a NULL inside a list of floats is NaN.
  const [n, scores] = values;
  const found = { values: [n, scores.map((v) => v ?? NaN)], eventTime: T0 + micros, order: undefined };
  compareRows(view, 1, batch, [found], into);
  const { equal, newer, missing, different } = into;
  const none = { equal: 0, newer: 0, missing: 0, different: 0 };
  expect({ equal, newer, missing, different }).toEqual({ ...none, [expected]: 1 });
});
