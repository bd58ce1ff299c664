import { checkHandlers, planApply, type ApplyPlan } from '../definitions/apply-plan.js';
import { canonicalJson } from '../definitions/canonical.js';
import { compiledContract, type Contract } from '../definitions/contract-file.js';
import { ALL_TIME } from '../definitions/interval.js';
import type { Claim, RunRef } from '../registry/ownership.js';
import { itemType } from '../registry/apply-outcome.js';
import { refuseChanged } from '../registry/resources.js';
import { settle } from '../registry/settle.js';
import { refuseColliding } from './colliding-features.js';
import { crashPoint } from './crash-points.js';
import type { ApplyRef, RegisteredApply } from './messages.js';
import { closeStatus, isOpen, own, until } from './owner.js';
import type { Runtime } from './runtime.js';

/** One apply at a time registers and runs: it is owned as intervals are. */
const LOCK: Claim = { target: 'apply', interval: ALL_TIME };

/**
 * Takes the right to apply, or says who has it; under it, plans against what is registered now, checks that the worker can carry it
 * out, and registers all definitions in one transaction.
 * @throws GranaryError `ResourceChanged`, `InvalidDefinition`, `HandlerMissing`; nothing was written then.
 */
export async function registerApply(
  runtime: Runtime,
  { apply: id, run }: ApplyRef,
): Promise<RegisteredApply> {
  const { registry } = runtime;
  const owner = await own(registry.ownership, LOCK, run, async (other) => {
    if (await isUnderWay(runtime, other)) return true;
    // What a closed apply left open is settled before anything is marked PENDING anew.
    await settle(registry, closeStatus, run.id);
    return false;
  });
  if (owner) return { state: 'wait', owner };
  await crashPoint('apply.after-lock');
  const known = await registry.applies.get(id);
  if (known?.registeredAt !== undefined) return { state: 'registered' };
  const contract = await registry.applies.contract(id);
  const warnings = [...checkHandlers(contract, runtime.project), ...bindingWarnings(runtime, contract)];
  const token = await registry.ownership.nextToken(LOCK, run);
  await crashPoint('apply.before-register');
  await registry.ownership.commit(LOCK, run, token, async (tx) => {
    await registry.resources.lock(tx);
    const before = await registry.resources.all(tx);
    const { changes, ...plan } = planApply(contract, before, await registry.resources.pipelines(tx));
    refuseChanged(changes.refused);
    await registry.resources.write(tx, changes, contract.pipelines);
    const bound = runtime.environments[runtime.scope.environment]?.bind ?? {};
    refuseColliding((await registry.resources.all(tx)).values(), (store) => bound[store]?.type === 'redis');
    const registered: ApplyPlan = { ...plan, warnings };
    await registry.applies.register(
      tx,
      id,
      registered,
      contract.resources.map((resource) => ({
        id: resource.id,
        type: itemType(resource),
        name: resource.name,
        variant: resource.variant,
        // A provider is asked each time: what it is bound to, or its password, may have changed.
        status:
          resource.kind !== 'provider' && before.get(resource.id)?.status === 'READY' ? 'READY' : 'PENDING',
      })),
    );
  });
  await crashPoint('apply.after-register');
  return { state: 'registered' };
}

/** Waits until the apply that has the right is closed or has recorded its end. */
export async function awaitApply(runtime: Runtime, owner: RunRef, signal: AbortSignal): Promise<void> {
  await until(async () => !(await isUnderWay(runtime, owner)), signal);
}

/** Whether the owner still works: Temporal has its workflow open, and the registry does not know it as ended. */
async function isUnderWay({ registry }: Runtime, owner: RunRef): Promise<boolean> {
  const run = await registry.runs.get(owner.id);
  return run?.endedAt === undefined && (await isOpen(owner));
}

/** What the file binds otherwise than this worker, whose bindings count. */
function bindingWarnings({ scope, environments }: Runtime, contract: Contract): string[] {
  const bound = contract.environments[scope.environment]?.bind ?? {};
  const own = environments[scope.environment]?.bind ?? {};
  const used = [...compiledContract(contract).resources.values()].filter((r) => r.kind === 'provider');
  return used.flatMap(({ name }) => {
    const [theirs, mine] = [bound[name], own[name]];
    if (theirs === undefined || mine === undefined || canonicalJson(theirs) === canonicalJson(mine))
      return [];
    return [
      `The file binds "${name}" to ${canonicalJson(theirs)}, the worker to ${canonicalJson(mine)}: the worker's binding counts. Start the worker with the same bindings.`,
    ];
  });
}
