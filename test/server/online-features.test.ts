import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromEnv, postgresStore, redisStore } from 'granary';
import { listenOn, type FeatureServer } from '../../server/server.js';
import { aUser, served, type Served } from '../support/served.js';

const AT = BigInt(Date.now() - 3_600_000) * 1000n;
/** `AT` as the server writes it: milliseconds, of which there may be none. */
const AT_TEXT = new Date(Number(AT / 1000n)).toISOString().replace('.000Z', 'Z');
const EPOCH = '1970-01-01T00:00:00Z';

describe.each([
  ['Redis', redisStore({ url: fromEnv('REDIS_URL') })],
  ['Postgres', postgresStore({ url: fromEnv('DATABASE_URL') })],
])('over %s', (_, store) => {
  let shop: Served;
  let server: FeatureServer;
  let python: FeatureServer;
  beforeAll(async () => {
    shop = await served(store);
    await shop.load('users', [
      aUser({ at: AT }),
      aUser({ user_id: 2n, at: AT - 8n * 86_400_000_000n, name: null }),
      aUser({
        user_id: 3n,
        at: AT,
        name: null,
        spend: NaN,
        ratio: Infinity,
        scores: [NaN, -Infinity],
        tags: [],
      }),
      aUser({ user_id: 2n ** 63n - 1n, at: AT, visits: 5n }),
    ]);
    await shop.load('purchases', [{ user_id: 1001n, merchant_id: 'M-9', spend: 1.5, visits: 2n, at: AT }]);
    await shop.load('airports', [
      { airport: 'ATL', departures: 319n, delay: 4.5, at: AT },
      { airport: 'ORD', departures: 7n, delay: -1, at: AT },
    ]);
    server = await listenOn(shop.open, { port: 0 });
    python = await listenOn(shop.open, { port: 0, statuses: 'feast-python' });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await python[Symbol.asyncDispose]();
    await shop[Symbol.asyncDispose]();
  });

  const post = async (body: unknown, to = server): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${to.url}/get-online-features`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: answer.status, text: await answer.text() };
  };

  interface Answer {
    readonly results: { values: unknown[]; statuses: string[]; event_timestamps: string[] }[];
    readonly metadata: { feature_names: string[]; feature_view_metadata?: unknown };
  }
  const ask = async (body: unknown, to = server): Promise<Answer> => {
    const { status, text } = await post(body, to);
    if (status !== 200) throw new Error(`${status} ${text}`);
    return JSON.parse(text) as Answer;
  };
  /** Name -> values, and how they are told. */
  const byName = ({ results, metadata }: Answer): Record<string, unknown> =>
    Object.fromEntries(metadata.feature_names.map((name, i) => [name, results[i]?.values]));
  const statuses = ({ results, metadata }: Answer): Record<string, unknown> =>
    Object.fromEntries(metadata.feature_names.map((name, i) => [name, results[i]?.statuses.join(' ')]));

  const USERS = [
    'visits',
    'spend',
    'ratio',
    'name',
    'is_new',
    'seen',
    'raw',
    'small',
    'tags',
    'scores',
    'ids',
    'flags',
  ];

  describe('values', () => {
    it("are written as Feast's server writes them, byte by byte", async () => {
      const { text } = await post({
        features: USERS.map((name) => `users:${name}`),
        entities: { user_id: [1001] },
      });
      const column = (value: string, status = 'PRESENT', at = AT_TEXT): string =>
        `{"values":[${value}],"statuses":["${status}"],"event_timestamps":["${at}"]}`;
      const values = [
        ...['9007199254740993', '12.0', '3.140000104904175', '"Zoë \\"Z\\"\\n"', 'false', '1767225600'],
        ...['"AP8Q"', '-7', '["a","","ż"]', '[1.0,0.1,-0.0]', '[-1,4611686018427387904]', '[true,false]'],
      ];
      expect(text).toBe(
        `{"results":[${[column('1001', 'PRESENT', EPOCH), ...values.map((value) => column(value))].join(',')}],"metadata":{"feature_names":${JSON.stringify(['user_id', ...USERS])}}}`,
      );
    });

    it('tells NaN within lists and infinities as texts; NaN by itself is NULL, as Feast stores it', async () => {
      const answer = await ask({
        features: ['users:spend', 'users:ratio', 'users:scores', 'users:tags'],
        entities: { user_id: [3] },
      });
      expect(byName(answer)).toMatchObject({
        spend: [null],
        ratio: ['Infinity'],
        scores: [['NaN', '-Infinity']],
        tags: [[]],
      });
    });
  });

  describe('statuses', () => {
    const body = {
      features: ['users:visits', 'users:name', 'quiet:visits', 'airports:departures'],
      entities: { user_id: [1001, 2, 3, 99], airport: ['ATL', 'ATL', 'XXX', 'ORD'] },
      full_feature_names: true,
    };
    it('say what is there, what is NULL, what is not there and what is too old; one view fails no other', async () => {
      const answer = await ask(body);
      expect(statuses(answer)).toEqual({
        user_id: 'PRESENT PRESENT PRESENT PRESENT',
        airport: 'PRESENT PRESENT PRESENT PRESENT',
        users__visits: 'PRESENT OUTSIDE_MAX_AGE PRESENT NOT_FOUND',
        users__name: 'PRESENT OUTSIDE_MAX_AGE NULL_VALUE NOT_FOUND',
        quiet__visits: 'NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND',
        airports__departures: 'PRESENT PRESENT NOT_FOUND PRESENT',
      });
      // What is too old keeps its value and tells its time.
      expect(answer.results[2]).toMatchObject({
        event_timestamps: [
          AT_TEXT,
          new Date(Number(AT / 1000n) - 8 * 86_400_000).toISOString().replace('.000Z', 'Z'),
          AT_TEXT,
          EPOCH,
        ],
      });
      expect(byName(answer)).toMatchObject({ airports__departures: [319, 319, null, 7] });
    });

    it("are all PRESENT by Feast's Python rule, with the same values", async () => {
      const [ours, theirs] = [await ask(body), await ask(body, python)];
      expect(new Set(Object.values(statuses(theirs)))).toEqual(new Set(['PRESENT PRESENT PRESENT PRESENT']));
      expect(byName(theirs)).toEqual(byName(ours));
    });

    it('a feature that a view got after its last load is not found, and the others are served', async () => {
      await shop.registry(
        `UPDATE {schema}.resources SET spec = jsonb_set(spec, '{features,2}', '{"name":"later","column":"delay","type":"float64"}'), fingerprint = 'x' WHERE name = 'airports' AND kind = 'view'`,
      );
      await expect
        .poll(
          () =>
            post({ features: ['airports:later', 'airports:delay'], entities: { airport: ['ATL'] } }).then(
              (a) => a.status,
            ),
          { timeout: 3000 },
        )
        .toBe(200);
      const answer = await ask({
        features: ['airports:later', 'airports:delay'],
        entities: { airport: ['ATL'] },
      });
      expect(statuses(answer)).toMatchObject({ later: 'NOT_FOUND', delay: 'PRESENT' });
    });
  });

  describe('entities', () => {
    it.each([
      ['a number', '1001', 9007199254740993n],
      ['a text of digits', '"1001"', 9007199254740993n],
      ['an integer beyond 2^53, digit by digit', '9223372036854775807', 5],
      ['the same as a text', '"9223372036854775807"', 5],
    ])('are found by %s', async (_, key, visits) => {
      const { text } = await post(`{"features":["users:visits"],"entities":{"user_id":[${key}]}}`);
      expect(text).toContain(`{"values":[${key.replaceAll('"', '')}]`);
      expect(text).toContain(`{"values":[${visits}],"statuses":["PRESENT"]`);
    });

    it('are found by several join keys in any order, by an entity’s name, and repeat; other columns are ignored', async () => {
      const answer = await ask({
        features: ['purchases:spend', 'users:small'],
        entities: {
          color: ['red', 'blue', 'red'],
          merchant_id: ['M-9', 'M-1', 'M-9'],
          user_id: [1001, 1001, '1001'],
        },
      });
      expect(byName(answer)).toEqual({
        merchant_id: ['M-9', 'M-1', 'M-9'],
        user_id: [1001, 1001, 1001],
        spend: [1.5, null, 1.5],
        small: [-7, -7, -7],
      });
      expect(byName(await ask({ features: ['users:small'], entities: { user: [1001] } }))).toEqual({
        user_id: [1001],
        small: [-7],
      });
    });

    it('join keys of other entities are repeated as they came, with all their digits', async () => {
      const { text } = await post(
        '{"features":["users:small"],"entities":{"user_id":[1001,1001,1001],"airport":[12345678901234567890,null,"é"]}}',
      );
      expect(text).toContain('{"values":[12345678901234567890,null,"é"]');
    });

    it('may be none', async () => {
      expect(await ask({ features: ['users:small'], entities: { user_id: [] } })).toEqual({
        results: [
          { values: [], statuses: [], event_timestamps: [] },
          { values: [], statuses: [], event_timestamps: [] },
        ],
        metadata: { feature_names: ['user_id', 'small'] },
      });
    });
  });

  it("serves a training set as a feature service, each role by the label's columns", async () => {
    const answer = await ask({
      feature_service: 'late_flights',
      entities: { from_airport: ['ATL', 'ORD'], to_airport: ['ORD', 'none'] },
      full_feature_names: true,
      include_feature_view_version_metadata: true,
    });
    expect(byName(answer)).toMatchObject({
      from_airport: ['ATL', 'ORD'],
      to_airport: ['ORD', 'none'],
      origin__departures: [319, 7],
      destination__departures: [7, null],
    });
    expect(answer.metadata.feature_view_metadata).toEqual([{ name: 'origin' }, { name: 'destination' }]);
  });

  const FEAST = (name: string, message: RegExp) => ({ feast: name, message });
  describe('what is wrong is told by a 4xx in words', () => {
    const entities = { user_id: [1] };
    it.each<[string, unknown, number, RegExp | ReturnType<typeof FEAST>]>([
      [
        'an unknown view',
        { features: ['user:visits'], entities },
        404,
        FEAST('FeatureViewNotFoundException', /Did you mean "users"/),
      ],
      [
        'an unknown feature',
        { features: ['users:visit'], entities },
        404,
        FEAST('FeastObjectNotFoundException', /visit does not exist.*Did you mean "visits"/),
      ],
      [
        'an unknown service',
        { feature_service: 'late_flight', entities },
        404,
        FEAST('FeatureServiceNotFoundException', /Did you mean "late_flights"/),
      ],
      [
        'a service that lags',
        { feature_service: 'lagged', entities },
        404,
        FEAST('FeatureServiceNotFoundException', /lag by 1h/),
      ],
      [
        'a view for training only',
        { features: ['training_only:visits'], entities },
        404,
        FEAST('FeatureViewNotFoundException', /not served online/),
      ],
      [
        'one name twice',
        { features: ['users:visits', 'quiet:visits'], entities },
        400,
        FEAST('FeatureNameCollisionError', /full_feature_names/),
      ],
      [
        'a missing join key',
        { features: ['users:visits'], entities: { id: [1] } },
        400,
        /no column "user_id"/,
      ],
      [
        'columns of two lengths',
        { features: ['purchases:spend'], entities: { user_id: [1], merchant_id: [] } },
        400,
        /0 values, but "user_id" has 1/,
      ],
      [
        'a null key',
        { features: ['users:visits'], entities: { user_id: [1, null] } },
        400,
        /"user_id" is int64, but its value 2 is null/,
      ],
      [
        'a fraction for a whole number',
        { features: ['users:visits'], entities: { user_id: [1.5] } },
        400,
        /\(1.5\)/,
      ],
      [
        'letters for a whole number',
        { features: ['users:visits'], entities: { user_id: ['x1'] } },
        400,
        /\(x1\)/,
      ],
      [
        'an integer beyond int64',
        '{"features":["users:visits"],"entities":{"user_id":[9223372036854775808]}}',
        400,
        /\(9223372036854775808\)/,
      ],
      ...(
        [
          ['a list', '[12345678901234567890]', /"airport" is a join key, but its value 1 is a list/],
          ['an object', '{"a": 12345678901234567890}', /"airport".* is an object/],
          ['lists within lists', `${'['.repeat(9000)}${']'.repeat(9000)}`, /"airport".* is a list/],
          ['a number beyond all', '1e999', /"airport".* is a number too large/],
        ] as const
      ).map(([what, value, message]): [string, string, number, RegExp] => [
        `${what} as a join key of another entity`,
        `{"features":["users:visits"],"entities":{"user_id":[1],"airport":[${value}]}}`,
        400,
        message,
      ]),
      ['no entities', { features: ['users:visits'] }, 422, /"entities" must be/],
      ['no column', { features: ['users:visits'], entities: {} }, 400, /no column/],
      ['no features', { entities }, 400, /No feature is asked for/],
      ['features that are no texts', { features: [1], entities }, 422, /list of texts/],
      [
        'a flag that is none',
        { features: ['users:visits'], entities, full_feature_names: 'yes' },
        422,
        /true or false/,
      ],
      ['a list', [], 422, /JSON object/],
      ['no JSON', '{"features": [', 422, /not JSON/],
      [
        'no JSON with a long number',
        '{"entities": {"user_id": [12345678901234567890}}',
        422,
        /not JSON.*unexpected/,
      ],
      ['nothing', '', 422, /JSON/],
      [
        'too many entities',
        { features: ['users:visits'], entities: { user_id: Array.from({ length: 10_001 }, () => 1) } },
        413,
        /10000 entities/,
      ],
      ['too large a body', `"${'x'.repeat(5 << 20)}"`, 413, /larger than 4194304 bytes/],
    ])('%s', async (_, body, status, expected) => {
      const answer = await post(body);
      expect(answer.status).toBe(status);
      const told = JSON.parse(answer.text) as unknown;
      if (expected instanceof RegExp) expect((told as { detail: string }).detail).toMatch(expected);
      else
        expect(JSON.parse(told as string)).toEqual({
          ...{ module: 'feast.errors', class: expected.feast },
          message: expect.stringMatching(expected.message) as string,
        });
    });

    it('a body that is not UTF-8', async () => {
      const answer = await fetch(`${server.url}/get-online-features`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.from('{"features":["airports:delay"],"entities":{"airport":["\xff"]}}', 'latin1'),
      });
      expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining('UTF-8')]);
    });

    it('names that look like two which were asked for before', async () => {
      expect((await post({ features: ['users:visits', 'users:small'], entities })).status).toBe(200);
      for (const name of ['users:visits\nusers:small', 'users:visits","users:small'])
        expect((await post({ features: [name], entities })).status).toBe(404);
      expect((await post({ feature_service: 'late_flights\n', entities })).status).toBe(404);
    });

    it('more values than one answer may hold up the others for, whatever --max-entities', async () => {
      await using wide = await listenOn(shop.open, { port: 0, maxEntities: 20_000 });
      const asked = (rows: number): object => ({
        features: USERS.map((name) => `users:${name}`),
        entities: { user_id: Array.from({ length: rows }, () => 5) },
      });
      expect((await post(asked(16_000), wide)).status).toBe(200);
      expect(await post(asked(17_000), wide)).toEqual({
        status: 413,
        text: expect.stringMatching(/200000 values.* 17000 entities x 12 features.*parts of 16666/) as string,
      });
    });

    it('another content type, another path, another method', async () => {
      const form = await fetch(`${server.url}/get-online-features`, {
        method: 'POST',
        body: new URLSearchParams('a=1'),
      });
      expect([form.status, await form.text()]).toEqual([415, expect.stringContaining('application/json')]);
      expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
      expect((await fetch(`${server.url}/get-online-features`)).status).toBe(404);
    });
  });

  it('describes itself in OpenAPI, and measures under the names that Feast has', async () => {
    const api = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: object;
    };
    expect(api.openapi).toMatch(/^3\./);
    expect(Object.keys(api.paths)).toContain('/get-online-features');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(
      /feast_feature_server_request_total\{endpoint="\/get-online-features",status="success"\} \d+/,
    );
    expect(metrics).toMatch(
      /feast_feature_server_request_total\{endpoint="\/get-online-features",status="error"\} \d+/,
    );
    expect(metrics).toMatch(
      /granary_feature_server_answers_total\{endpoint="\/get-online-features",code="404"\} \d+/,
    );
    expect(metrics).toMatch(
      /feast_online_features_status_total\{feature_view="users",status="outside_max_age"\} \d+/,
    );
    expect(metrics).toMatch(/feast_feature_server_online_store_read_duration_seconds_count \d+/);
  });
});
