import { describe, expect, it } from 'vitest';
import { again } from '../../client/run-again.js';
import { adviceFor } from '../../client/component-versions.js';
import { ALL_TIME, type Interval } from '../../definitions/interval.js';
import type { RunDetail } from '../../registry/run-history.js';
import type { RecordedRequest } from '../../registry/recorded-run.js';

const DAY = { start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' };
const span = { from: DAY.start, to: DAY.end };

const run = (
  request: RecordedRequest | undefined,
  more: { readonly interval?: Interval; readonly pipeline?: string; readonly type?: string } = {},
): RunDetail => ({
  run: '0192.3',
  workflowId: 'w',
  type: more.type ?? request?.type ?? 'pipeline',
  pipeline: more.pipeline,
  interval: more.interval ?? DAY,
  status: 'FAILED',
  error: undefined,
  startedAt: '',
  endedAt: '',
  ms: 0,
  counts: { total: 0, completed: 0, failed: 0 },
  request,
  steps: [],
  plan: {
    interval: DAY,
    fingerprint: '',
    steps: [
      { id: 'source/a', kind: 'build', name: 'a', dependsOn: [] },
      { id: 'view/a', kind: 'materialize', name: 'a', dependsOn: ['source/a'] },
    ],
  },
});

describe('a run is started again', () => {
  it.each([
    [
      'a pipeline: its interval, not the last one of now',
      run({ type: 'pipeline' }, { pipeline: 'daily' }),
      { pipeline: 'daily', ...span },
      ['daily', '2026-01-02'],
    ],
    [
      'some targets, rebuilt',
      run(
        { type: 'pipeline', date: '2026-01-02', targets: ['view/a'], rebuild: true },
        { pipeline: 'daily' },
      ),
      { pipeline: 'daily', ...span, targets: ['view/a'], rebuild: true },
      ['daily', '2026-01-02', 'view/a', 'rebuild'],
    ],
    [
      'what no pipeline schedules',
      run({ type: 'pipeline', targets: ['view/a'] }, { interval: ALL_TIME }),
      { from: ALL_TIME.start, to: ALL_TIME.end, targets: ['view/a'] },
      ['retry', '0192.3'],
    ],
    [
      'a pipeline whose request is not recorded: what its plan made last',
      run(undefined, { pipeline: 'daily' }),
      { pipeline: 'daily', ...span, targets: ['view/a'] },
      ['daily', '2026-01-02', 'view/a'],
    ],
    [
      'a training set',
      run({ type: 'trainingSet', targets: ['t'] }, { pipeline: 'daily' }),
      { trainingSet: 't', pipeline: 'daily', ...span },
      ['retry', '0192.3'],
    ],
    [
      'a training set as of a time',
      run(
        { type: 'trainingSet', targets: ['t'], asOf: '2026-01-05T00:00:00Z' },
        { interval: { start: ALL_TIME.start, end: '2026-01-05T00:00:00Z' } },
      ),
      { trainingSet: 't', asOf: '2026-01-05T00:00:00Z' },
      ['retry', '0192.3'],
    ],
    [
      'one view with what it needs',
      run({ type: 'materialize', targets: ['a'] }, { pipeline: 'daily' }),
      { view: 'a', pipeline: 'daily', ...span },
      ['retry', '0192.3'],
    ],
    [
      'views from what is recorded, within the window that -2d was then',
      run({ type: 'materialize', recorded: true, targets: ['a', 'b'], from: '-2d' }),
      { views: ['a', 'b'], ...span },
      ['retry', '0192.3'],
    ],
    [
      'all views from what is recorded',
      run({ type: 'materialize', recorded: true }, { interval: ALL_TIME }),
      {},
      ['retry', '0192.3'],
    ],
    [
      'a rollback',
      run({ type: 'rollback', targets: ['a'], version: 'v_1', reason: 'cut off' }),
      { featureSet: 'a', version: 'v_1', reason: 'cut off' },
      ['retry', '0192.3'],
    ],
    [
      'a promotion',
      run({ type: 'promote', targets: ['view/a'], variant: 'v2' }),
      { name: 'view/a', variant: 'v2' },
      ['retry', '0192.3'],
    ],
  ])('%s', (_, of, input, asked) => {
    const found = again(of);
    expect(found.input).toEqual(input);
    expect(found.asked).toEqual(asked);
  });

  it('unless nobody knows what was asked for', () => {
    expect(() => again(run(undefined, { type: 'apply' }))).toThrow(
      /not recorded\. Apply again: granary apply/,
    );
  });
});

describe('which of client, worker and registry is to be updated', () => {
  const polling = (...versions: (string | undefined)[]) => ({
    taskQueue: 'q',
    polling: versions.map((version) => ({ identity: 'x', version })),
  });
  const level = (at: number | undefined, version?: string) => ({ level: at, newest: 12, version });
  it.each([
    ['nothing, where all are of one version', '0.2.0', polling('0.2.0'), level(12), []],
    [
      'the worker',
      '0.10.0',
      polling('0.9.1', '0.10.0'),
      level(12),
      [/Update the worker of 0\.9\.1 to 0\.10\.0/],
    ],
    [
      'this package',
      '0.2.0',
      polling('0.3.0'),
      level(13, '0.3.0'),
      [/Update this package to 0\.3\.0/, /migrated by 0\.3\.0 \(migration 13/],
    ],
    [
      'a release after its candidate',
      '1.0.0-rc.1',
      polling('1.0.0'),
      level(12),
      [/Update this package to 1\.0\.0/],
    ],
    [
      'the registry, by whoever uses it next',
      '0.2.0',
      polling(undefined),
      level(8),
      [/at migration 8 of 12/],
    ],
    ['nothing, where there is no registry', '0.2.0', polling(), level(undefined), []],
    ['nothing that is known', '0.2.0', { error: 'away' }, { error: 'away' }, []],
  ] as const)('%s', (_, client, workers, registry, expected) => {
    const advice = adviceFor(client, workers, registry);
    expect(advice).toEqual(expected.map((part) => expect.stringMatching(part) as unknown));
  });
});
