import type { Command } from 'commander';
import { wantedOf } from '../client/feature-vectors.js';
import { printed } from '../client/printed.js';
import { GranaryError } from '../definitions/errors.js';
import { durationMicros } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { ScalarType, ValueType } from '../definitions/types.js';
import { reader } from '../providers/rows.js';
import type { OnlineRow } from '../providers/online/provider.js';
import { onlineStoreOf, onlineView } from '../registry/online-view.js';
import { keyExample, keyValue } from '../server/entity-values.js';
import { show, useCatalog, withCatalogOptions, type CatalogFlags, type Opened } from './catalog.js';
import { table } from './table.js';

/** One feature of one entity, as the online store has it. */
interface ShownFeature {
  readonly feature: string;
  readonly type: ValueType;
  readonly value: unknown;
  readonly status: 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE';
}

interface Shown {
  readonly view: string;
  readonly entity: Readonly<Record<string, unknown>>;
  readonly eventTime: string | null;
  readonly features: readonly ShownFeature[];
}

export function addFeatures(program: Command): void {
  withCatalogOptions(
    program
      .command('features')
      .description('Reads features as they are online.')
      .addHelpText('after', '\nExample:\n  granary features get user_features user_id=1001')
      .command('get')
      .description("Shows one entity's newest values, their time, and whether they are there and fresh.")
      .argument('<view>', 'the name of a feature view, or of one of its features: view:feature')
      .argument('<key=value...>', 'the join keys of the entity')
      .addHelpText(
        'after',
        '\nExamples:\n  granary features get user_features user_id=1001\n  granary features get purchases:total user_id=1001 merchant_id=M-9 --json',
      ),
  ).action(async (view: string, keys: readonly string[], flags: CatalogFlags) => {
    await useCatalog(flags, async (opened) => show(flags, await readOne(opened, view, keys), text));
  });
}

async function readOne({ open, registry }: Opened, asked: string, given: readonly string[]): Promise<Shown> {
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const resources = await registry.resources.all();
  const { view, features } = wantedOf(resources, asked);
  const target = onlineView(open.scope, view);
  const pairs = new Map(given.map(pairOf));
  const unknown = [...pairs.keys()].find((key) => !target.joinKeys.some(({ name }) => name === key));
  if (unknown !== undefined)
    throw new GranaryError(
      'InvalidInput',
      `"${unknown}" is no join key of ${view.name}, which is read by ${example(target.joinKeys)}.`,
    );
  const keys = target.joinKeys.map(({ name, type }) => {
    const value = pairs.get(name);
    if (value === undefined)
      throw new GranaryError(
        'InvalidInput',
        `The entity has no "${name}". ${view.name} is read by ${example(target.joinKeys)}.`,
      );
    const key = keyValue(type, value);
    if (key === undefined)
      throw new GranaryError(
        'InvalidInput',
        `The join key "${name}" of ${view.name} is ${type}, and "${value}" is not. Write ${keyExample(type)}.`,
      );
    return key;
  });
  const [row] = await open.providers.online(onlineStoreOf(view)).read(target, [keys], features);
  const age = row && BigInt(Date.now()) * 1000n - row.eventTime;
  const isOld = age !== undefined && view.spec.ttl !== undefined && age > durationMicros(view.spec.ttl);
  return {
    view: view.name,
    entity: Object.fromEntries(pairs),
    eventTime: row ? new Timestamp(row.eventTime).toString() : null,
    features: features.map((feature, i) => {
      const type = view.spec.features.find(({ name }) => name === feature)?.type ?? 'string';
      return { feature, type, value: reader(type)(row?.values[i]), status: statusOf(row, i, isOld) };
    }),
  };
}

function statusOf(row: OnlineRow | undefined, i: number, isOld: boolean): ShownFeature['status'] {
  const value = row?.values[i];
  if (value === undefined) return 'NOT_FOUND';
  if (isOld) return 'OUTSIDE_MAX_AGE';
  return value === null ? 'NULL_VALUE' : 'PRESENT';
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new GranaryError('InvalidInput', `"${text}" is no key=value. Write user_id=1001.`);
}

const example = (keys: readonly { readonly name: string; readonly type: ScalarType }[]): string =>
  keys.map(({ name, type }) => `${name}=<${type}>`).join(' ');

function text({ view, entity, eventTime, features }: Shown): string {
  const of = Object.entries(entity)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ');
  const rows = features.map(({ feature, type, value, status }) => [
    `${feature} (${type})`,
    value === null ? 'NULL' : printed(value),
    status,
  ]);
  const when = eventTime === null ? 'not in the online store' : `as of ${eventTime}`;
  return `${table(['FEATURE', 'VALUE', 'STATUS'], rows)}\n${view}, ${of}: ${when}\n`;
}
