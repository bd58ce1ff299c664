import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { ALL_TIME, intervalName, type Interval } from '../definitions/interval.js';
import { promotionPlan, type Plan } from '../definitions/plan.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { RunRef } from '../registry/ownership.js';
import type { RegisteredResource } from '../registry/resources.js';
import type { Resources } from './inputs.js';
import type { PromotionRef, RunRequest } from './messages.js';
import { isOpen, own } from './owner.js';
import type { Runtime } from './runtime.js';

/**
 * Settles what a promotion does: which variant takes whose place, under which number. Registers nothing, and needs neither sources nor code.
 * @throws GranaryError `UnknownResource`, `InvalidInput`, `PromotionRefused`; nothing was changed then.
 */
export async function resolvePromotion(
  runtime: Runtime,
  request: RunRequest,
  run: RunRef,
): Promise<{ readonly plan: Plan; readonly promotion: PromotionRef }> {
  const { registry } = runtime;
  await registry.migrate();
  const resources = await registry.resources.all();
  const { from, to } = await variantsOf(runtime, resources, request);
  requireFreeName(resources, from);
  await requireReady(runtime, from, to);
  const { kind, name } = to;
  // One promotion of a name at a time; what a closed run left is taken over.
  const claim = { target: `promotion/${kind}/${name}`, interval: ALL_TIME };
  const owner = await own(registry.ownership, claim, run, isOpen);
  if (owner)
    throw refused(`Another promotion of it is under way: ${owner.workflowId}. Wait for it, or cancel it.`);
  const asked = {
    ...{ kind, name, from: from.id, to: to.id, by: request.by ?? 'Temporal UI' },
    ...(request.reason === undefined ? {} : { reason: request.reason }),
  };
  const number = await registry.promotions.begin(asked, run);
  const [interval = ALL_TIME, before] = [
    await newestInterval(runtime, to),
    await newestInterval(runtime, from),
  ];
  return {
    plan: promotionPlan(to, from, interval, before),
    promotion: { kind, name, number, from: from.id, to: to.id },
  };
}

const PROMOTABLE = ['source', 'view', 'label', 'trainingSet'] as const;

async function variantsOf(
  { registry }: Runtime,
  resources: Resources,
  { targets, variant, previous }: RunRequest,
): Promise<{ readonly from: RegisteredResource; readonly to: RegisteredResource }> {
  const [text = ''] = targets ?? [];
  const [, kind, name = text] = /^(?:([^/]+)\/)?(.+)$/.exec(text) ?? [];
  const named = [...resources.values()].filter(
    (r) => r.name === name && r.variant !== '' && (kind === undefined || r.kind === kind),
  );
  const kinds = [...new Set(named.map((r) => r.kind))];
  if (kinds.length > 1)
    throw new GranaryError(
      'InvalidInput',
      `promote: "${text}" names ${kinds.map((k) => `${k}/${name}`).join(' and ')}. Write one of these.`,
    );
  const from = named.find((r) => r.isDefault);
  if (!from)
    throw new GranaryError(
      'UnknownResource',
      `promote: there is no ${PROMOTABLE.join(', ')} "${text}". "granary list" shows what there is.`,
    );
  const others = named.filter((r) => !r.isDefault).map((r) => r.variant);
  const known =
    others.length > 0 ? `Other variants: ${others.sort().join(', ')}.` : 'It has no other variant.';
  if (previous === (variant !== undefined))
    throw new GranaryError(
      'InvalidInput',
      `promote: give either a variant of ${name} or --previous. ${known}`,
    );
  const before = previous ? (await registry.promotions.of(from.kind, name))[0] : undefined;
  if (previous && !before)
    throw refused(`${name} was never promoted, so there is no variant before ${from.variant}. ${known}`);
  const to = named.find((r) => (before ? r.id === before.from : r.variant === variant));
  if (!to)
    throw new GranaryError(
      'UnknownResource',
      `promote: ${name} has no variant "${variant ?? before?.from ?? ''}". ${known}`,
    );
  if (to.isDefault) throw refused(`${to.variant} is the default variant of ${name} already. ${known}`);
  return { from, to };
}

/** Under the name that the variant will bear which is the default now, nothing else may lie. */
function requireFreeName(resources: Resources, from: RegisteredResource): void {
  const location = `${from.name}_${from.variant}`;
  for (const other of resources.values())
    if (other.kind === from.kind && other.location === location && other.id !== from.id)
      throw refused(
        `${from.id} would be stored as "${location}" from then on, and so is ${other.id}. Delete that one first, or give it another name.`,
      );
}

/** What is not made, or made for less than what it replaces, must not be what readers see. */
async function requireReady(
  runtime: Runtime,
  from: RegisteredResource,
  to: RegisteredResource,
): Promise<void> {
  if (to.status === 'FAILED' || (isMade(to) && to.status !== 'READY'))
    throw refused(
      `${to.id} is ${to.status}, and only what is READY can become the default. Run what makes it, then promote again.`,
    );
  const [have, need] = [await newestInterval(runtime, to), await newestInterval(runtime, from)];
  if (isMade(to) && need && (!have || Timestamp.from(have.end).micros < Timestamp.from(need.end).micros))
    throw refused(
      `${to.id} is not fresh: it is made ${have ? `up to ${intervalName(have)}` : 'for no interval'}, and the default ${from.id} up to ${intervalName(need)}. Run it for that interval, then promote again.`,
    );
}

const isMade = (resource: Resource): boolean =>
  isKind(resource, 'trainingSet') ||
  (isKind(resource, 'source') && 'build' in resource.spec) ||
  (isKind(resource, 'view') && resource.spec.online !== undefined);

/** The newest interval that the ledger calls valid. */
async function newestInterval({ registry }: Runtime, { id }: Resource): Promise<Interval | undefined> {
  return (await registry.ledger.of(id)).at(-1)?.interval;
}

const refused = (message: string): GranaryError =>
  new GranaryError('PromotionRefused', `${message} Nothing was changed.`);
