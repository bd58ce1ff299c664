import { describe, expect, it } from 'vitest';
import type { Resource } from '../../definitions/contract.js';
import { ALL_TIME, asOfInterval } from '../../definitions/interval.js';
import type { Dataset } from '../../registry/dataset.js';
import { chooseVersions, timed, type VersionReader } from '../../registry/version-choice.js';

const at = (day: number): string => new Date(Date.UTC(2026, 0, day)).toISOString().replace('.000', '');
/** A version that was committed on a day; without one, when its interval ended. */
const version = (id: string, interval: Dataset['interval'], committed?: number): Dataset =>
  ({
    id,
    interval,
    eventTimes: { min: interval.end, max: interval.end },
    committedAt: committed === undefined ? interval.end : at(committed),
  }) as Dataset;
const day = (n: number) => ({ start: at(n), end: at(n + 1) });

/** Days 1, 2, 4 and 5, the week of the first four, and all of time; in the order of their ends. */
const CURRENT = [
  version('1', day(1)),
  version('2', day(2)),
  version('week', { start: at(1), end: at(5) }),
  version('4', day(4)),
  version('5', day(5)),
  version('all', ALL_TIME),
].map(timed);

const source = (timestampField?: string): Resource<'source'> =>
  ({ id: 'source/x', kind: 'source', spec: { type: 'featureSet', timestampField } }) as Resource<'source'>;

describe('the versions of a source that count for an interval', () => {
  it.each([
    ['all that ended with it or before', day(4), { from: undefined }, ['1', '2', 'week', '4']],
    ['those that ended since', day(4), { from: at(3) }, ['week', '4']],
    ['the newest of them', day(3), { from: undefined, newest: true }, ['2']],
    ['none before the first', { start: at(0), end: at(1) }, { from: undefined, newest: true }, []],
    ['none where what is newest is too old', day(10), { from: at(8), newest: true }, []],
    [
      'what holds all of time, where it was made last, for that alone',
      ALL_TIME,
      { from: undefined },
      ['all'],
    ],
  ] as const)('%s', (_, interval, reader, expected) => {
    const found = chooseVersions(source('at'), CURRENT, { interval, by: 'interval', ...reader });
    expect(found.map(({ id }) => id)).toEqual(expected);
  });

  const asOf = asOfInterval(at(9));
  const daily = [1, 2, 3].map((n) => version(`${n}`, day(n)));
  const first: Dataset = { ...version('all', ALL_TIME, 1), eventTimes: { min: at(1), max: at(1) } };
  it.each([
    ['the intervals, once a pipeline makes them', asOf, [...daily, first], ['1', '2', '3']],
    ['the same for all of time', ALL_TIME, [...daily, first], ['1', '2', '3']],
    ['all of time, where that was made last', asOf, [...daily, { ...first, committedAt: at(8) }], ['all']],
    ['all of time, where nothing else was made', asOf, [first], ['all']],
    ['nothing of nothing', asOf, [], []],
  ] as const)('as of a time: %s', (_, interval, current, expected) => {
    for (const by of ['interval', 'eventTime'] as const)
      expect(
        chooseVersions(source('at'), current.map(timed), { interval, by, from: undefined }).map(
          ({ id }) => id,
        ),
      ).toEqual(expected);
    expect(
      chooseVersions(source(), current.map(timed), { interval, by: 'interval', from: undefined }).map(
        ({ id }) => id,
      ),
    ).toEqual(expected.slice(-1));
  });

  it('are all of them, also later ones, where the rows have another time than the versions are known by', () => {
    const reader = { interval: day(2), by: 'otherTime', from: undefined } as const;
    const chosen = (timestampField?: string): string[] =>
      chooseVersions(source(timestampField), CURRENT, reader).map(({ id }) => id);
    expect(chosen('at')).toEqual(['1', '2', 'week', '4', '5']);
    expect(chosen()).toEqual(['2']);
  });

  it.each([
    ['the newer of those that overlap', [5, 5, 5], ['wide', '3']],
    ['those that were made after what covers them', [8, 9, 5], ['1', '2', '3']],
  ] as const)('are of labels %s, for whichever of their days', (_, [first, second, wide], expected) => {
    // Found for all of time, for a day by its rows' times, and for a day by any rows.
    const current = [
      version('1', day(1), first),
      version('2', day(2), second),
      { ...version('wide', { start: at(1), end: at(3) }, wide + 1), eventTimes: { min: at(2), max: at(3) } },
      version('3', day(3), 4),
    ].map(timed);
    const once = { from: undefined, once: true };
    const chosen = (reader: Pick<VersionReader, 'interval' | 'by'>): string[] =>
      chooseVersions(source('at'), current, { ...reader, ...once }).map(({ id }) => id);
    expect(chosen({ interval: ALL_TIME, by: 'eventTime' })).toEqual(expected);
    expect(chosen({ interval: day(5), by: 'otherTime' })).toEqual(expected);
    expect(chosen({ interval: day(5), by: 'interval' })).toEqual(expected);
    expect(chosen({ interval: day(3), by: 'eventTime' })).toEqual(expected.filter((id) => id !== '3'));
  });

  it('of one without timestamps the newest alone, however it is read', () => {
    for (const by of ['interval', 'eventTime'] as const)
      expect(
        chooseVersions(source(), CURRENT, { interval: day(4), by, from: at(8) }).map(({ id }) => id),
      ).toEqual(['4']);
  });
});
