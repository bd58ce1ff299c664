/** The head of `/openapi.json`. */
export const OPENAPI = {
  info: {
    title: 'Granary feature server',
    description: "Features as they are online. The paths that Feast's server has are as there.",
    version: '1',
  },
  components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
};

const texts = { type: 'array', items: { type: 'string' } } as const;
const failure = {
  description:
    'What is wrong: {"detail", "code"}, or for what is not there a JSON text {"module", "class", "message"}, as from Feast.',
  type: 'object',
  properties: { detail: { type: 'string' }, code: { type: 'string' } },
} as const;
const FAILURES = { '4xx': failure, 503: failure } as const;
const security = [{ token: [] }];

export const FEATURES_SCHEMA = {
  summary: 'The newest values of features for some entities',
  security,
  body: {
    type: 'object',
    required: ['entities'],
    properties: {
      entities: {
        description: 'Join key -> one value an entity',
        type: 'object',
        additionalProperties: { type: 'array', items: {} },
      },
      features: { ...texts, description: 'view:feature' },
      feature_service: { type: 'string', description: 'The name of a training set' },
      full_feature_names: { type: 'boolean', default: false },
      include_feature_view_version_metadata: { type: 'boolean', default: false },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        results: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              values: { type: 'array', items: {} },
              statuses: {
                type: 'array',
                items: {
                  type: 'string',
                  enum: ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID'],
                },
              },
              event_timestamps: { type: 'array', items: { type: 'string', format: 'date-time' } },
            },
          },
        },
        metadata: { type: 'object', properties: { feature_names: texts } },
      },
    },
    ...FAILURES,
  },
} as const;

const run = {
  type: 'object',
  properties: {
    status: { type: 'string', enum: ['accepted', 'completed'] },
    feature_views: texts,
    workflow_id: { type: 'string' },
    run_id: { type: 'string' },
  },
} as const;

export const MATERIALIZE_SCHEMA = {
  summary: 'Loads views online by a run of the workflow materialize',
  security,
  querystring: {
    type: 'object',
    properties: { async: { type: 'string', description: 'true: answer once the run has been started' } },
  },
  body: {
    type: 'object',
    properties: {
      start_ts: { type: 'string', description: 'ISO-8601; of /materialize alone' },
      end_ts: { type: 'string', description: 'ISO-8601; of /materialize alone' },
      feature_views: { ...texts, description: 'Default: all that are served online' },
    },
  },
  response: { 200: run, 202: run, ...FAILURES },
} as const;

export const ROWS_SCHEMA = {
  summary: 'All rows of a view, a JSON object a line',
  description:
    'Join keys, features and "event_timestamp" of each entity, in no order, whatever the TTL. An answer that was broken off has no end: the connection is closed.',
  security,
  params: { type: 'object', properties: { view: { type: 'string' } } },
  querystring: {
    type: 'object',
    properties: { features: { type: 'string', description: 'Names with commas between. Default: all' } },
  },
  response: {
    200: { description: 'Rows', content: { 'application/x-ndjson': { schema: { type: 'string' } } } },
    ...FAILURES,
  },
} as const;

export const HEALTH_SCHEMA = {
  summary: 'Whether the server takes requests',
  response: {
    200: { description: 'It does', type: 'null' },
    503: { description: 'It is about to stop', type: 'null' },
  },
} as const;

export const METRICS_SCHEMA = {
  summary: "Prometheus metrics, under Feast's names",
  response: { 200: { type: 'string' } },
} as const;
