import { isRaw, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { ALL_TIME, intervalName, type Interval } from '../definitions/interval.js';
import { refreshPlan, type Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { instantOf } from '../definitions/window.js';
import { definitionsOf } from '../registry/definitions.js';
import type { RefreshRef, RunRequest } from './messages.js';
import { viewIds } from './resolve-request.js';
import type { Runtime } from './runtime.js';

/**
 * Settles what a full refresh does: which views are loaded anew, each for its newest interval. It builds nothing: it loads what there is.
 * @throws GranaryError `UnknownResource`, `InvalidInput`, `SourceMissing`; nothing was changed then.
 */
export async function resolveRefresh(
  runtime: Runtime,
  request: RunRequest,
): Promise<{ readonly plan: Plan; readonly refresh: RefreshRef }> {
  const { registry } = runtime;
  if (request.date !== undefined)
    throw new GranaryError(
      'InvalidInput',
      'A full refresh loads a range of versions, or all of them, and no single date. Leave "date" out, or give "from" and "to".',
    );
  await registry.migrate();
  const definitions = await definitionsOf(runtime);
  const ids = viewIds(definitions, request);
  await definitions.register();
  const resources = await registry.resources.all();
  const views = await Promise.all(
    ids.map(async (id) => {
      const view = resourceOf(resources, id, 'view');
      return {
        view,
        interval: await newestOf(runtime, view, resourceOf(resources, view.spec.source, 'source')),
      };
    }),
  );
  const now = Timestamp.from(await registry.runs.clock());
  const instant = (where: 'from' | 'to'): string | undefined => {
    const text = request[where];
    return text === undefined ? undefined : instantOf(text, now, where).toString();
  };
  const [from, to] = [instant('from'), instant('to')];
  if (from !== undefined && to !== undefined && Timestamp.from(from).micros >= Timestamp.from(to).micros)
    throw new GranaryError('InvalidInterval', `"from" (${from}) must be before "to" (${to}).`);
  for (const { view, interval } of views)
    if (from !== undefined && Timestamp.from(interval.end).micros <= Timestamp.from(from).micros)
      throw new GranaryError(
        'SourceMissing',
        `${view.id} is made up to ${intervalName(interval)}, and nothing from ${from} on: a refresh would take away all that it has. Run it first, or give an earlier "from".`,
      );
  return {
    plan: refreshPlan(views),
    refresh: {
      by: request.by ?? 'Temporal UI',
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    },
  };
}

/** The newest interval that a view was loaded for, else that of its source's newest version, else all of time. */
async function newestOf(
  { registry }: Runtime,
  view: Resource<'view'>,
  source: Resource<'source'>,
): Promise<Interval> {
  const loaded = (await registry.ledger.of(view.id)).at(-1)?.interval;
  if (loaded || isRaw(source.spec)) return loaded ?? ALL_TIME;
  const made = await registry.datasets.newest(source.id);
  if (made) return made.interval;
  throw new GranaryError(
    'SourceMissing',
    `${source.id} has no version yet, so there is nothing to load ${view.name} from. Run what makes it.`,
  );
}
