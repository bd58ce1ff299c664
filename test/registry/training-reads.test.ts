import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../definitions/compile.js';
import type { Resource } from '../../definitions/contract.js';
import {
  defineProject,
  entity,
  featureView,
  fileStore,
  label,
  sql,
  t,
  trainingSet,
} from '../../definitions/index.js';
import { trainingReads } from '../../registry/training-reads.js';

const lake = fileStore('lake');
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const raw = lake.parquet('raw', {
  path: 'r.parquet',
  schema: { user_id: t.int64, at: t.timestamp, ordered_at: t.timestamp, paid: t.bool },
  timestampField: 'at',
});
const outcomes = lake.sql('outcomes', {
  query: sql`SELECT * FROM ${raw}`,
  timestampField: 'at',
  schema: raw.schema,
});
const view = featureView('seen', { entities: [user], source: raw, ttl: '1d', features: ['paid'] });
const set = (name: string, timestampField?: 'at' | 'ordered_at') =>
  trainingSet(name, {
    label: label(`l_${name}`, {
      entity: user,
      source: outcomes,
      key: 'user_id',
      value: 'paid',
      ...(timestampField === undefined ? {} : { timestampField }),
    }),
    features: [view],
  });

const DAY = { start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' };
let resources: ReadonlyMap<string, Resource>;
beforeAll(() => {
  const sets = [set('own', 'at'), set('other', 'ordered_at'), set('none')];
  ({ resources } = compile(
    defineProject({ name: 'p', resources: sets, environments: { dev: { bind: {} } } }),
  ));
});

describe('what a training set reads for an interval', () => {
  it.each([
    ["of a label with its source's time the versions with rows of it", 'own', 'eventTime', DAY.start],
    [
      'of a label with another time every version: its rows may have been recorded later',
      'other',
      'otherTime',
      undefined,
    ],
    ['of a label without a time what was made by then', 'none', 'interval', undefined],
  ] as const)('%s', (_, name, by, from) => {
    const found = [...resources.values()].find(
      (r): r is Resource<'trainingSet'> => r.kind === 'trainingSet' && r.name === name,
    );
    if (!found) throw new Error(`no set ${name}`);
    const [labels, features] = trainingReads(resources, found, DAY);
    expect(labels?.reader).toEqual({ interval: DAY, by, from, once: true });
    // A view reaches back by its TTL from labels of the interval, where it is known when these are.
    expect(features?.reader).toEqual({
      interval: DAY,
      by: 'eventTime',
      from: name === 'own' ? '2026-01-01T00:00:00Z' : undefined,
    });
  });
});
