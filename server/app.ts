import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { messageOf } from '../definitions/errors.js';
import type { BoundProviders } from '../providers/bind.js';
import { detail, failureOf, feastError } from './errors.js';
import { parseJson, textOf } from './exact-json.js';
import { Metrics } from './metrics.js';
import { materializeRoutes, type Materializer } from './materialize.js';
import { FEATURES_SCHEMA, HEALTH_SCHEMA, METRICS_SCHEMA, OPENAPI } from './openapi.js';
import { onlineFeatures } from './online-features.js';
import { DEFAULTS, MOST_VALUES, type ServerOptions } from './options.js';
import type { RegistryCache } from './registry-cache.js';
import { readRequest } from './request.js';
import { rowsRoute } from './rows.js';
import { Tokens, type Role } from './tokens.js';

const JSON_TYPE = 'application/json; charset=utf-8';
/** Nothing has moved on a connection for so long: its client has gone, or does not read. */
const IDLE_MS = 60_000;
const KEEP_ALIVE_MS = 75_000;
/** What the metrics call an answer that did not reach its end, as some proxies do. */
const CLIENT_GONE = 499;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route; absent: everybody. */
    readonly role?: Role;
  }
  interface FastifyRequest {
    /** How many features of how many views were asked for. */
    asked: { readonly features: number; readonly views: number } | undefined;
  }
}

/** What a feature server works on. */
export interface Serving {
  readonly providers: BoundProviders;
  readonly cache: Pick<RegistryCache, 'snapshot'>;
  /** Whether the server is to be left alone from now on: `/health` says 503. */
  readonly isDraining: () => boolean;
  /** Starts runs; without it the server only reads. */
  readonly materializer?: (() => Promise<Materializer>) | undefined;
}

/** The feature server's routes. Nothing listens yet. */
export async function featureApp(
  { providers, cache, isDraining, materializer }: Serving,
  options: ServerOptions,
): Promise<FastifyInstance> {
  const {
    maxBody = DEFAULTS.maxBody,
    maxEntities = DEFAULTS.maxEntities,
    headTimeout = DEFAULTS.headTimeout,
    requestTimeout = DEFAULTS.requestTimeout,
    statuses = 'truthful',
    log = () => undefined,
  } = options;
  const mostValues = Math.max(MOST_VALUES, maxEntities);
  const tokens = new Tokens(options.tokens ?? []);
  const metrics = new Metrics();
  const app = Fastify({
    bodyLimit: maxBody,
    requestTimeout,
    connectionTimeout: IDLE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // Node looks for requests that are too slow this often.
    http: { headersTimeout: headTimeout, connectionsCheckingInterval: 1000 },
    // The names of views in paths; of the registry, not of the router, is how long they may be.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
  });
  // Bodies are checked by the handlers, which have better words and no schema to go by for types that the registry tells.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => (typeof data === 'string' ? data : JSON.stringify(data)));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJson(textOf(body as Buffer)));
    } catch (error) {
      done(error as Error);
    }
  });
  app.decorateRequest('asked', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    metrics.began();
    // Not Fastify's onResponse, which does not come where the client has gone before the end.
    reply.raw.once('close', () => {
      const { features, views } = request.asked ?? {};
      const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_GONE;
      const endpoint = request.routeOptions.url ?? 'unknown';
      metrics.ended(endpoint, status, reply.elapsedTime / 1000, features, views);
    });
    const needed = request.routeOptions.config.role;
    const refused = needed && !tokens.isOpen ? refusal(tokens, needed, request) : undefined;
    if (!refused) return done();
    void reply.code(refused.status).type(JSON_TYPE).header('www-authenticate', 'Bearer').send(refused.body);
  });
  // A client that keeps its connection would keep a server that stops.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isDraining()) reply.header('connection', 'close');
    done(null, payload);
  });
  app.setErrorHandler((error, _request, reply) => {
    const { status, body, headers = {} } = failureOf(error, maxBody);
    if (status >= 500)
      log(status === 500 ? `failed: ${(error as Error).stack ?? messageOf(error)}` : messageOf(error));
    void reply.code(status).headers(headers).type(JSON_TYPE).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const text = `There is no ${request.method} ${request.url.slice(0, 200)}. See /openapi.json.`;
    void reply.code(404).type(JSON_TYPE).send(detail(text, 'UnknownResource'));
  });
  await app.register(swagger, { openapi: OPENAPI });

  app.post(
    '/get-online-features',
    { schema: FEATURES_SCHEMA, config: { role: 'read' } },
    async (request: FastifyRequest, reply: FastifyReply) => {
      const asked = readRequest(request.body, maxEntities);
      const answered = await onlineFeatures(providers, cache.snapshot, asked, statuses, mostValues);
      request.asked = answered;
      metrics.served(asked.rows, answered.readSeconds, answered.statuses);
      return reply.type(JSON_TYPE).send(answered.text);
    },
  );
  rowsRoute(app, providers, cache, log);
  if (materializer) materializeRoutes(app, materializer, cache);
  app.get('/health', { schema: HEALTH_SCHEMA }, (_request, reply) => {
    void reply.code(isDraining() ? 503 : 200).send();
  });
  app.get('/metrics', { schema: METRICS_SCHEMA }, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) =>
    reply.type(JSON_TYPE).send(JSON.stringify(app.swagger())),
  );
  return app;
}

function refusal(
  tokens: Tokens,
  needed: Role,
  request: FastifyRequest,
): { readonly status: number; readonly body: string } | undefined {
  const role = tokens.roleOf(request.headers.authorization);
  if (role === undefined)
    return {
      status: 401,
      body: detail('Send a token that this server knows: authorization: Bearer <token>.', 'InvalidInput'),
    };
  if (role === 'run' || needed === 'read') return undefined;
  const message = `This token may read features, not start runs: ${request.method} ${request.routeOptions.url ?? ''} takes one with the role run.`;
  return { status: 403, body: feastError('FeastPermissionError', message) };
}
