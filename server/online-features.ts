import { GranaryError } from '../definitions/errors.js';
import type { BoundProviders } from '../providers/bind.js';
import { readByStore } from '../providers/online/read-by-store.js';
import { answerText, type EchoedKey, type StatusCounts, type StatusRule } from './answer.js';
import { keyColumn, type KeyColumn } from './entity-values.js';
import { planOf, type Plan, type PlannedKey } from './plan.js';
import type { FeaturesRequest } from './request.js';
import type { Snapshot } from './snapshot.js';

/** An answer, and what the metrics tell of it. */
export interface Answered {
  readonly text: string;
  readonly statuses: readonly StatusCounts[];
  readonly readSeconds: number;
  readonly features: number;
  readonly views: number;
}

/**
 * Answers a request: one round trip to each online store that its views are in, usually one.
 * @throws GranaryError `InvalidInput` (413 for more than `mostValues`), `UnknownResource`; `ProviderUnreachable` when a store does not answer.
 */
export async function onlineFeatures(
  providers: BoundProviders,
  snapshot: Snapshot,
  request: FeaturesRequest,
  rule: StatusRule,
  mostValues: number,
): Promise<Answered> {
  const plan = planOf(snapshot, request);
  refuseTooMany(request.rows, plan.columns.length, mostValues);
  const columns = new Map<PlannedKey, KeyColumn>();
  const keys = plan.keys.map((planned) => rowsOf(planned, request, columns));
  const echoed = echo(plan, request, columns, snapshot.joinKeys);
  const began = performance.now();
  const reads = plan.reads.map(({ served, store, features, keys: place }) => ({
    ...{ store, read: { view: served.view, features, keys: keys[place] ?? [] } },
  }));
  const stored = await readByStore(reads, (store, some) => providers.online(store).readStored(some));
  const readSeconds = (performance.now() - began) / 1000;
  const { withViews, rows } = request;
  const { text, statuses } = answerText(plan, rows, echoed, stored, {
    ...{ rule, withViews, now: Date.now() * 1000 },
  });
  return { text, statuses, readSeconds, features: plan.columns.length, views: plan.reads.length };
}

function refuseTooMany(rows: number, features: number, most: number): void {
  if (rows * features <= most) return;
  const part = Math.max(1, Math.floor(most / features));
  throw new GranaryError(
    'InvalidInput',
    `A request may ask for ${most} values, and this one asks for ${rows * features}: ${rows} entities x ${features} features. Ask in parts of ${part} entities, or read the whole view: GET /feature-views/<view>/rows.`,
    { details: { status: 413 } },
  );
}

/** The keys of each entity, in the order of the view's join keys. */
function rowsOf(
  planned: readonly PlannedKey[],
  { entities }: FeaturesRequest,
  columns: Map<PlannedKey, KeyColumn>,
): (readonly unknown[])[] {
  const found = planned.map((key) => {
    const given =
      entities.get(key.column) ?? (key.entity === undefined ? undefined : entities.get(key.entity));
    if (!given)
      throw new GranaryError(
        'InvalidInput',
        `"entities" has no column "${key.column}", a join key of the feature view ${key.view}. It has ${[...entities.keys()].slice(0, 20).join(', ').slice(0, 200)}.`,
      );
    const column = keyColumn(key.column, key.type, given);
    columns.set(key, column);
    return column.values;
  });
  const [first = [], ...more] = found;
  if (more.length === 0) return first.map((value) => [value]);
  return first.map((value, i) => [value, ...more.map((values) => values[i])]);
}

/** The join keys of the request in its order, as Feast repeats them; what is no join key of anything is left out. */
function echo(
  plan: Plan,
  { entities }: FeaturesRequest,
  columns: ReadonlyMap<PlannedKey, KeyColumn>,
  joinKeys: ReadonlySet<string>,
): EchoedKey[] {
  const echoed = new Map<string, string>();
  const planned = plan.keys.flat();
  for (const [column, values] of entities) {
    const key = planned.find((k) => k.column === column) ?? planned.find((k) => k.entity === column);
    const known = key && columns.get(key);
    if (known) echoed.set(key.column, known.text);
    else if (joinKeys.has(column)) echoed.set(column, asGiven(column, values));
  }
  return [...echoed].map(([name, text]) => ({ name, text }));
}

/** Values of a join key that no view in the request is read by. Lists and objects are nobody's key, and JSON in JavaScript cannot write all of them. */
function asGiven(column: string, values: readonly unknown[]): string {
  const texts = values.map((value, i) => {
    if (typeof value === 'bigint') return String(value);
    const isScalar = typeof value === 'number' ? Number.isFinite(value) : typeof value !== 'object';
    if (isScalar || value === null) return JSON.stringify(value);
    throw new GranaryError(
      'InvalidInput',
      `"entities": the column "${column}" is a join key, but its value ${i + 1} is ${typeof value === 'number' ? 'a number too large' : Array.isArray(value) ? 'a list' : 'an object'}. Give texts, numbers, true, false or null, or leave the column out.`,
    );
  });
  return texts.join(',');
}
