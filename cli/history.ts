import type { Command } from 'commander';
import type { ResourceEvent } from '../client/resource-types.js';
import { intervalName } from '../definitions/interval.js';
import type { ResourceRun } from '../registry/catalog.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags } from './catalog.js';
import { count } from './count.js';
import { printed } from '../client/printed.js';
import { table } from './table.js';

export function addHistory(program: Command): void {
  withCatalogOptions(
    program
      .command('history')
      .description(
        'Tells what happened to a resource: who applied, changed or deleted it, and its runs. Oldest first.',
      )
      .argument('<resource>', 'its name; one that is gone by its whole id: source/user_features.v1')
      .option('--limit <n>', 'how many runs at most, the newest', count, 50)
      .addHelpText('after', '\nExample:\n  granary history user_features'),
  ).action(async (resource: string, flags: CatalogFlags & { readonly limit: number }) => {
    await useCatalog(flags, async ({ catalog }) =>
      show(flags, await catalog.history(resource, { limit: flags.limit }), historyText),
    );
  });
}

const historyText = (events: readonly ResourceEvent[]): string =>
  table(
    ['AT', 'BY', 'WHAT', 'DETAIL'],
    events.map(({ at, by, what, detail }) => [
      at,
      by,
      what,
      'workflowId' in detail && 'interval' in detail
        ? runText({ ...(detail as unknown as ResourceRun), startedAt: at }, 'short')
        : Object.entries(detail)
            .map(
              ([key, value]) =>
                `${key}: ${typeof value === 'object' ? JSON.stringify(value) : printed(value)}`,
            )
            .join(', '),
    ]),
  );

/** One run in a line. */
export function runText(run: ResourceRun, form?: unknown): string {
  const { workflowId, interval, status, step, error, startedAt, endedAt } = run;
  const outcome = `${status}${step === status || step === 'PENDING' ? '' : ` (its step: ${step})`}`;
  const what = `${workflowId} for ${intervalName(interval)}: ${outcome}`;
  const when = form === 'short' ? '' : `${startedAt} .. ${endedAt ?? 'now'}  `;
  return `${when}${what}${error === undefined ? '' : `: ${error.replaceAll(/\s+/g, ' ')}`}`;
}
