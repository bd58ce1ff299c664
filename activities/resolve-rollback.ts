import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { rollbackPlan, type Plan } from '../definitions/plan.js';
import { findFeatureSet } from '../definitions/target.js';
import { rowsChecksum, type Dataset } from '../registry/dataset.js';
import type { Rollback, RunRequest } from './messages.js';
import type { Runtime } from './runtime.js';

/**
 * Settles what a rollback does: which version comes back, in whose place, and which views follow. Needs neither the source's
 * files nor the build's code, and registers nothing: a rollback must work when these are what is broken.
 * @throws GranaryError `UnknownResource`, `InvalidInput`, `RollbackRefused`; nothing was changed then.
 */
export async function resolveRollback(
  runtime: Runtime,
  request: RunRequest,
): Promise<{ readonly plan: Plan; readonly rollback: Rollback }> {
  const { registry } = runtime;
  await registry.migrate();
  const resources = await registry.resources.all();
  const featureSet = findFeatureSet(resources, request.targets?.[0] ?? '', 'rollback');
  const current = await registry.datasets.newest(featureSet.id);
  if (!current)
    throw refused(
      `${featureSet.name} has no version yet, so there is nothing to go back to. Run its pipeline.`,
    );
  const { name } = featureSet;
  const of =
    request.version === undefined
      ? await earlierVersion(runtime, name, current)
      : await namedVersion(runtime, name, current, request.version);
  return {
    plan: rollbackPlan(resources, featureSet, current.interval),
    rollback: {
      from: current.id,
      of: of.id,
      by: request.by ?? 'Temporal UI',
      ...(request.reason === undefined ? {} : { reason: request.reason }),
    },
  };
}

async function namedVersion(
  { registry }: Runtime,
  name: string,
  current: Dataset,
  version: string,
): Promise<Dataset> {
  const found = await registry.datasets.named(current.target, version);
  const newest = intervalName(current.interval);
  if (!found)
    throw refused(
      `${name} has no version "${version}". "granary rollback ${name} --list" shows the versions of its newest interval, ${newest}.`,
    );
  if (found.interval.start !== current.interval.start || found.interval.end !== current.interval.end)
    throw refused(
      `${version} of ${name} holds the interval ${intervalName(found.interval)}, but its newest interval is ${newest}, and only that one can be rolled back. Choose a version that "granary rollback ${name} --list" shows; to correct ${intervalName(found.interval)}, correct its sources and run that interval again.`,
    );
  if (found.id === current.id)
    throw refused(
      `${version} is the current version of ${name} for ${newest} already. Choose an earlier one: "granary rollback ${name} --list" shows them.`,
    );
  return found;
}

/**
 * The newest earlier generation with other rows. Earlier than what is current means: than the version whose bytes are current. So
 * asking twice goes back twice, and never forth to what the first rollback took away.
 */
async function earlierVersion({ registry }: Runtime, name: string, current: Dataset): Promise<Dataset> {
  const generations = await registry.datasets.generations(current.target, current.interval);
  const origins = new Map(
    (await registry.audit.rollbacks(current.target)).map(({ version, of }) => [version, of]),
  );
  let origin = current.version;
  for (let of = origins.get(origin); of !== undefined; of = origins.get(origin)) origin = of;
  const limit = generations.find((dataset) => dataset.version === origin)?.generation ?? current.generation;
  const found = generations.find(
    (dataset) => dataset.generation < limit && rowsChecksum(dataset) !== rowsChecksum(current),
  );
  if (found) return found;
  throw refused(
    `${name} has no earlier version of its newest interval ${intervalName(current.interval)} with other rows than the current ${current.version}${origin === current.version ? '' : ` (the bytes of ${origin})`}. To choose among all of its versions, name one: "granary rollback ${name} --list" shows them.`,
  );
}

export const refused = (message: string): GranaryError =>
  new GranaryError('RollbackRefused', `${message} Nothing was changed.`);
