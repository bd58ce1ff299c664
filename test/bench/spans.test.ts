import { describe, expect, it } from 'vitest';
import { covered, split, subtract, union } from '../../bench/pipeline/spans.js';

const span = (from: number, to: number) => ({ from, to });

describe('stretches of time', () => {
  it('count once where several cover a moment', () => {
    expect(union([span(5, 7), span(0, 2), span(1, 3), span(3, 4), span(6, 6)])).toEqual([
      span(0, 4),
      span(5, 7),
    ]);
    expect(covered([span(0, 10), span(2, 3), span(9, 12)])).toBe(12);
  });

  it('leave what lies outside of others', () => {
    expect(subtract([span(0, 10)], [span(8, 20), span(-5, 1), span(3, 4)])).toEqual([span(1, 3), span(4, 8)]);
    expect(subtract([span(0, 1)], [span(0, 1)])).toEqual([]);
    expect(subtract([span(0, 2), span(4, 6)], [])).toEqual([span(0, 2), span(4, 6)]);
  });

  it('split among layers add up to the whole, however much runs side by side', () => {
    expect(
      split(
        [span(0, 100)],
        [
          ['engine', [span(10, 30), span(20, 40)]],
          ['files', [span(35, 50), span(90, 120)]],
        ],
      ),
    ).toEqual({ engine: 30, files: 20, rest: 50 });
  });
});
