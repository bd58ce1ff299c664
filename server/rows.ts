import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { GranaryError, messageOf } from '../definitions/errors.js';
import type { BoundProviders } from '../providers/bind.js';
import type { EntityRows, OnlineView } from '../providers/online/provider.js';
import { keyText } from './entity-values.js';
import { ROWS_SCHEMA } from './openapi.js';
import { onlineViewOf, requireFeature } from './plan.js';
import type { RegistryCache } from './registry-cache.js';
import type { ServedView } from './snapshot.js';
import { storedTime } from './time-text.js';
import { valueText } from './value-text.js';

const NDJSON = 'application/x-ndjson; charset=utf-8';

/**
 * `GET /feature-views/<view>/rows`: all entities of a view as NDJSON, as fast as the client reads, a page in memory at a time. A client that goes
 * stops the reading. Where a store fails after the first rows were sent the connection is closed without the end of the answer, so
 * that nobody takes it for whole; before them, it is answered as everywhere.
 */
export function rowsRoute(
  app: FastifyInstance,
  providers: BoundProviders,
  cache: Pick<RegistryCache, 'snapshot'>,
  log: (line: string) => void,
): void {
  app.get(
    '/feature-views/:view/rows',
    // Fastify would answer HEAD by reading the whole view.
    { schema: ROWS_SCHEMA, config: { role: 'read' }, exposeHeadRoute: false },
    async (request, reply) => {
      const { view: name } = request.params as { readonly view: string };
      const { features: asked } = request.query as { readonly features?: unknown };
      const { served, store } = onlineViewOf(cache.snapshot, name);
      const features = featuresOf(served, asked);
      request.asked = { features: features.length, views: 1 };
      const pages = providers.online(store).entities(served.view, features)[Symbol.asyncIterator]();
      // Headers say 200 once they are sent, so the store is asked before.
      const first = await pages.next();
      const lines = linesOf(served.view, features, first, pages);
      const stream = Readable.from(lines, { objectMode: false, highWaterMark: 1 << 16 });
      stream.on('error', (error) => log(`the rows of ${name} were broken off: ${messageOf(error)}`));
      return reply.type(NDJSON).send(stream);
    },
  );
}

function featuresOf(served: ServedView, asked: unknown): readonly string[] {
  if (asked === undefined) return [...served.features];
  if (typeof asked !== 'string')
    throw new GranaryError('InvalidInput', '"features" is given once, with commas between: ?features=a,b.');
  const names = [...new Set(asked.split(',').filter((name) => name !== ''))];
  for (const feature of names) requireFeature(served, feature);
  return names;
}

async function* linesOf(
  view: OnlineView,
  features: readonly string[],
  first: IteratorResult<EntityRows>,
  pages: AsyncIterator<EntityRows>,
): AsyncGenerator<string> {
  try {
    for (let page = first; page.done !== true; page = await pages.next())
      yield pageText(view, features, page.value);
  } finally {
    // The client has gone, or all is told.
    await pages.return?.();
  }
}

/** Rows of a page, a line each. */
function pageText({ joinKeys }: OnlineView, features: readonly string[], { keys, rows }: EntityRows): string {
  const { bytes, at, first, stride } = rows;
  const keyNames = joinKeys.map(({ name }) => `${JSON.stringify(name)}:`);
  const names = features.map((name) => `,${JSON.stringify(name)}:`);
  let text = '';
  for (const [i, values] of keys.entries()) {
    const place = first + i * stride;
    text += '{';
    for (const [k, { type }] of joinKeys.entries())
      text += (k > 0 ? ',' : '') + (keyNames[k] ?? '') + keyText(type, values[k]);
    for (let f = 0; f < features.length; f++) {
      const start = at[place + 2 + 2 * f] ?? -1;
      const value = start < 0 ? undefined : valueText(bytes, start, at[place + 3 + 2 * f] ?? start);
      text += (names[f] ?? '') + (value ?? 'null');
    }
    const time = storedTime(bytes, at[place] ?? 0, at[place + 1] ?? 0);
    text += `,"event_timestamp":${time.text}}\n`;
  }
  return text;
}
