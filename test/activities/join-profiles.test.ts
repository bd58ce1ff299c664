import { describe, expect, it } from 'vitest';
import { joinProfiles, type JoinCounts } from '../../activities/join-profiles.js';
import type { TrainingPlan } from '../../activities/training-set-plan.js';

const CONSTANT = { constant: "constant: may contain the label's future" };
const view = (times: object): TrainingPlan['views'][number] => ({
  ...{ name: 'totals for user', role: 'user', on: [], source: {} as TrainingPlan['views'][number]['source'] },
  columns: [
    { column: 'a', as: 'total', type: 'int64' },
    { column: 'b', as: 'n', type: 'int64' },
  ],
  ...times,
});
const plan = (times: object, timestampField?: string): Pick<TrainingPlan, 'views' | 'spine'> => ({
  views: [view(times)],
  spine: {
    columns: [],
    label: { column: 'l', as: 'l', type: 'bool' },
    orderBy: [],
    ...(timestampField === undefined ? {} : { timestampField }),
  },
});
const ALL: JoinCounts = {
  ...{ rows: 4, matched: [3], createdLater: [1] },
  ages: [{ min: 500_000, median: 1_000_001, max: 86_400_000_000 }],
};
const age = { min: 0.5, median: 1.000001, max: 86_400 };
const TIMED = { timestampField: 'at' };
const CREATED = { ...TIMED, createdTimestampField: 'made' };

describe('what is told of a join', () => {
  it.each<[what: string, ReturnType<typeof plan>, JoinCounts, object]>([
    ['in time, with a created time', plan(CREATED, 't'), ALL, { createdLater: 1, age }],
    ['in time, without a created time', plan(TIMED, 't'), ALL, { age }],
    [
      'that matched nothing',
      plan(CREATED, 't'),
      { rows: 4, matched: [0], createdLater: [0], ages: [undefined] },
      { matched: 0, matchRate: 0, createdLater: 0 },
    ],
    [
      'of no label rows',
      plan(TIMED, 't'),
      { rows: 0, matched: [0], createdLater: [0], ages: [undefined] },
      { matched: 0, matchRate: 0 },
    ],
    ['with a view without a time', plan({}, 't'), ALL, CONSTANT],
    ['with a label without a time: the newest row may be from its future', plan(CREATED), ALL, CONSTANT],
  ])('%s', (_, given, counts, found) => {
    expect(joinProfiles(given, counts)).toEqual([
      { view: 'totals for user', columns: ['total', 'n'], matched: 3, matchRate: 0.75, ...found },
    ]);
  });
});
