import { describe, expect, it } from 'vitest';
import { didYouMean } from '../../definitions/names.js';

describe('a mistyped name is answered with', () => {
  it.each([
    ['the nearest first', 'totals', ['atotal', 'total', 'other'], 'Did you mean "total" or "atotal"?'],
    ['that of which it is a word', 'flights', ['hourly', 'flights_daily'], 'Did you mean "flights_daily"?'],
    ['that which is a word of it', 'orders_total', ['orders', 'users'], 'Did you mean "orders"?'],
    ['three at most', 'a_b', ['a_b1', 'a_b2', 'a_b3', 'a_b4'], 'Did you mean "a_b1" or "a_b2" or "a_b3"?'],
    ['all, where none is near', 'nosuch', ['b', 'a'], 'Known: a, b.'],
    ['that there are none', 'x', [], 'There are none.'],
  ])('%s', (_, wrong, known, said) => {
    expect(didYouMean(wrong, known)).toBe(said);
  });
});
