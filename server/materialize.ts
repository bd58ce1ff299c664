import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { workflowFailure } from '../client/workflow-failure.js';
import { GranaryError } from '../definitions/errors.js';
import { isTexts, misshapen, objectOf } from './request.js';
import { MATERIALIZE_SCHEMA } from './openapi.js';
import type { RegistryCache } from './registry-cache.js';
import type { Snapshot } from './snapshot.js';

/** What starts runs; {@link GranaryClient} is one. */
export interface Materializer {
  materialize(options: {
    readonly views?: readonly string[];
    readonly from?: string;
    readonly to?: string;
  }): Promise<StartedRun>;
}

export interface StartedRun {
  readonly workflowId: string;
  readonly runId: string;
  result(): Promise<unknown>;
}

const EXAMPLE = '{"start_ts": "2026-01-01", "end_ts": "2026-02-01", "feature_views": ["user_features"]}';

/**
 * Feast's `/materialize` and `/materialize-incremental`: each starts one workflow. With `?async=true` the answer is 202 and the run, else it comes once the
 * run has ended. A run that this server started for the same and that is still open: 409.
 */
export function materializeRoutes(
  app: FastifyInstance,
  materializer: () => Promise<Materializer>,
  cache: Pick<RegistryCache, 'snapshot'>,
): void {
  // Noted before it is started: of two requests that come at once one starts it.
  const open = new Map<string, Promise<StartedRun>>();
  const start = async (request: FastifyRequest, reply: FastifyReply, isWindow: boolean): Promise<string> => {
    const { views: given, ...window } = readAsked(request.body, isWindow);
    const { async: detached } = request.query as { readonly async?: string };
    // As Feast's server: an empty list names no view, and nothing is loaded.
    if (given?.length === 0) {
      if (detached === 'true') void reply.code(202);
      return JSON.stringify({ status: detached === 'true' ? 'accepted' : 'completed', feature_views: [] });
    }
    const asked = { ...window, ...(given && { views: given.map((name) => runName(cache.snapshot, name)) }) };
    const key = JSON.stringify([isWindow, asked.from, asked.to, asked.views && [...asked.views].sort()]);
    const views = given ?? [];
    const known = open.get(key);
    const before = known && (await known);
    if (before) {
      void reply.code(409);
      return JSON.stringify({
        error: `The run ${before.workflowId} materializes the same and is still open.`,
        ...{ feature_views: views, workflow_id: before.workflowId, run_id: before.runId },
      });
    }
    const starting = materializer().then((client) => client.materialize(asked));
    open.set(key, starting);
    const forget = (): void => void (open.get(key) === starting && open.delete(key));
    const ended = starting.then((run) => run.result().catch(refuse(run))).finally(forget);
    // Without an answer to it, whoever started it asks Temporal or "granary status" how it ends.
    ended.catch(() => undefined);
    const run = await starting;
    const told = { feature_views: views, workflow_id: run.workflowId, run_id: run.runId };
    if (detached === 'true') {
      void reply.code(202);
      return JSON.stringify({ status: 'accepted', ...told });
    }
    // It may take hours: the connection is not idle meanwhile.
    request.raw.socket.setTimeout(0);
    await ended;
    return JSON.stringify({ status: 'completed', ...told });
  };
  for (const [path, isWindow] of [
    ['/materialize', true],
    ['/materialize-incremental', false],
  ] as const)
    app.post(path, { schema: MATERIALIZE_SCHEMA, config: { role: 'run' } }, async (request, reply) =>
      reply.type('application/json').send(await start(request, reply, isWindow)),
    );
}

/** Runs know a view by its name and variant, requests by the name that it has in Feast; what is unknown the run refuses. */
const runName = ({ views }: Snapshot, name: string): string => views.get(name)?.runName ?? name;

/** A run's failure by the code that it failed with. */
const refuse =
  ({ workflowId }: StartedRun) =>
  (error: unknown): never => {
    const failure = workflowFailure(error);
    if (!failure) throw error;
    const { code, cause } = failure;
    throw new GranaryError(code, `The run ${workflowId} failed: ${cause.message}`, { cause: error });
  };

function readAsked(
  body: unknown,
  isWindow: boolean,
): { readonly views?: readonly string[]; readonly from?: string; readonly to?: string } {
  const given = objectOf(body, EXAMPLE);
  const { feature_views: views, start_ts: from, end_ts: to } = given;
  if (views !== undefined && views !== null && !isTexts(views))
    throw misshapen(`"feature_views" must be a list of names. Write ${EXAMPLE}.`);
  for (const [name, value] of Object.entries({ start_ts: from, end_ts: to }))
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw misshapen(`"${name}" must be a text in ISO-8601. Write ${EXAMPLE}.`);
  if (isWindow && (typeof from !== 'string' || typeof to !== 'string'))
    throw new GranaryError(
      'InvalidInput',
      `A window has two ends: "start_ts" and "end_ts". Write ${EXAMPLE}.`,
    );
  if (given['disable_event_timestamp'] === true || typeof given['version'] === 'string')
    throw new GranaryError(
      'InvalidInput',
      '"disable_event_timestamp" and "version" are of Feast alone: rows keep their times here, and a variant is a view of its own name.',
    );
  const some = isTexts(views) ? { views } : {};
  return isWindow && typeof from === 'string' && typeof to === 'string' ? { ...some, from, to } : some;
}
