import { describe, expect, it } from 'vitest';
import { liveTable } from '../../cli/apply-table.js';
import type { ApplyItem, ApplyState } from '../../client/index.js';

const item = (i: number, status: ApplyItem['status'], error?: string): ApplyItem => ({
  id: `source/s${i}.v`,
  type: 'SourceVariant',
  name: `s${i}`,
  variant: 'v',
  status,
  error,
});
const state = (resources: readonly ApplyItem[]): ApplyState => ({
  run: 'amazed_volhard',
  workflowId: 'apply/shop_dev/amazed_volhard',
  by: 'me@here',
  at: '2026-01-01T00:00:00Z',
  status: 'RUNNING',
  error: undefined,
  plan: undefined,
  resources,
});
const many = [
  ...Array.from({ length: 300 }, (_, i) => item(i, 'READY')),
  ...Array.from({ length: 198 }, (_, i) => item(300 + i, 'PENDING')),
  item(498, 'RUNNING'),
  item(499, 'FAILED', 'a long reason '.repeat(20)),
];

describe('the table of an apply under way', () => {
  it('shows everything in the order of the definitions where it fits', () => {
    const lines = liveTable(state(many.slice(0, 5)), { rows: 24, columns: 80 }).split('\n');
    expect(lines.slice(2, 7).map((line) => line.trim().split(/ +/)[1])).toEqual([
      's0',
      's1',
      's2',
      's3',
      's4',
    ]);
  });

  it.each([
    { rows: 24, columns: 80 },
    { rows: 10, columns: 40 },
    { rows: 4, columns: 200 },
  ])(
    'never wraps nor scrolls in $rows lines of $columns, and shows what runs or failed first',
    (terminal) => {
      const lines = liveTable(state(many), terminal).split('\n');
      expect(lines.length).toBeLessThanOrEqual(Math.max(5, terminal.rows));
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(terminal.columns);
      expect(lines[2]).toMatch(/s498/);
      if (terminal.rows > 4) expect(lines[3]).toMatch(/s499/);
      expect(lines.at(-2)).toMatch(/^ \.\.\. and \d+ more; 300 of 500/);
    },
  );
});
