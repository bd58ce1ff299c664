import { describe, expect, it } from 'vitest';
import { compile } from '../../definitions/compile.js';
import { entity } from '../../definitions/entity.js';
import { featureView } from '../../definitions/feature-view.js';
import { label } from '../../definitions/label.js';
import { defineProject } from '../../definitions/project.js';
import { fileStore, localFiles } from '../../definitions/provider.js';
import { trainingSet, type TrainingSetOptions } from '../../definitions/training-set.js';
import { t } from '../../definitions/types.js';
import { changesOf } from '../../definitions/diff.js';
import { featureServices } from '../../registry/feature-services.js';
import type { RegisteredResource } from '../../registry/resources.js';

const lake = fileStore('lake');
const airport = entity('airport', { joinKeys: { airport: t.string } });
const carrier = entity('carrier', { joinKeys: { carrier_id: t.int64 } });
const rows = lake.parquet('rows', {
  path: 'rows.parquet',
  schema: {
    airport: t.string,
    carrier_id: t.int64,
    at: t.timestamp,
    departures: t.int64,
    delay: t.float64,
    code: t.int64,
    from_airport: t.string,
    to_airport: t.string,
    late: t.bool,
  },
  timestampField: 'at',
});
const airports = featureView('airports', {
  entities: [airport],
  source: rows,
  features: ['departures', 'delay'],
});
const weather = featureView('weather', { entities: [airport], source: rows, features: ['delay'] });
const carriers = featureView('carriers', { entities: [carrier], source: rows, features: ['delay'] });
const late = label('late', {
  source: rows,
  value: 'late',
  timestampField: 'at',
  entities: {
    origin: { entity: airport, keys: { airport: 'from_airport' } },
    destination: { entity: airport, keys: { airport: 'to_airport' } },
    carrier: { entity: carrier, keys: { carrier_id: 'code' } },
  },
});

function services(features: TrainingSetOptions<typeof late, never[]>['features'] | readonly unknown[]) {
  const project = defineProject({
    name: 'p',
    resources: [trainingSet('set', { label: late, features: features as never })],
    environments: { dev: { bind: { lake: localFiles('.') } } },
  });
  const created = changesOf(new Map(), compile(project, () => '').resources.values()).created;
  const registered = created.map(({ resource, isDefault, location }): RegisteredResource => ({
    ...resource,
    isDefault,
    location,
    promotion: 0,
    status: 'READY',
  }));
  return featureServices(new Map(registered.map((r) => [r.id, r])));
}

describe('A training set as a feature service', () => {
  it.each([
    {
      title: 'a view with all its features, under the join keys of its own',
      features: [carriers],
      expected: [{ view: 'carriers', features: ['delay'], alias: undefined, joinKeyMap: {} }],
    },
    {
      title:
        "a view for two roles: each bears the role for an alias and takes the join key from the label's column",
      features: [airports.for('origin'), airports.for('destination')],
      expected: [
        {
          view: 'airports',
          features: ['departures', 'delay'],
          alias: 'origin',
          joinKeyMap: { airport: 'from_airport' },
        },
        {
          view: 'airports',
          features: ['departures', 'delay'],
          alias: 'destination',
          joinKeyMap: { airport: 'to_airport' },
        },
      ],
    },
    {
      title: "two views for one role: the view's name keeps their aliases apart",
      features: [airports.for('origin'), weather.for('origin')],
      expected: [
        {
          view: 'airports',
          features: ['departures', 'delay'],
          alias: 'origin_airports',
          joinKeyMap: { airport: 'from_airport' },
        },
        {
          view: 'weather',
          features: ['delay'],
          alias: 'origin_weather',
          joinKeyMap: { airport: 'from_airport' },
        },
      ],
    },
    {
      title: 'chosen features alone, beside a view with a column of the same name',
      features: [airports.for('origin'), carriers.for('carrier')],
      expected: [
        {
          view: 'airports',
          features: ['departures', 'delay'],
          alias: 'origin',
          joinKeyMap: { airport: 'from_airport' },
        },
        { view: 'carriers', features: ['delay'], alias: 'carrier', joinKeyMap: { carrier_id: 'code' } },
      ],
    },
  ])('has $title', ({ features, expected }) => {
    const found = services(features);
    expect(found.leftOut).toEqual([]);
    expect(
      found.services.map(({ name, projections }) => ({
        name,
        projections: projections.map(({ view, alias, joinKeyMap, features: own }) => ({
          view,
          features: own.map((f) => f.name),
          alias,
          joinKeyMap,
        })),
      })),
    ).toEqual([{ name: 'set', projections: expected }]);
  });

  it('does not exist where a feature lags, and the reason names the view and the lag', () => {
    const found = services([airports.for('origin').lag('7d')]);
    expect(found.services).toEqual([]);
    expect(found.leftOut).toEqual([
      { name: 'set', reason: expect.stringMatching(/training set set .* airports lag by 7d/) as unknown },
    ]);
  });
});
