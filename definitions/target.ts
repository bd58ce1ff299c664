import type { Resource } from './contract.js';
import { GranaryError } from './errors.js';
import { didYouMean } from './names.js';

/** A run's targets by name: `user_features`, `view/user_features`, `source/flights.v2`. */
export function findTarget(resources: ReadonlyMap<string, Resource>, text: string, where: string): Resource {
  const m = /^(?:(source|view|trainingSet)\/)?([^./]+)(?:\.(.+))?$/.exec(text);
  const candidates = [...resources.values()].filter((r) =>
    ['source', 'view', 'trainingSet'].includes(r.kind),
  );
  const found = candidates.filter(
    (r) =>
      m &&
      r.name === m[2] &&
      (m[1] === undefined || r.kind === m[1]) &&
      (m[3] === undefined || r.variant === m[3]),
  );
  const [only, other] = found;
  if (only === undefined)
    throw new GranaryError(
      'UnknownResource',
      `${where}: there is no target "${text}". ${didYouMean(m?.[2] ?? text, new Set(candidates.map((r) => r.name)))}`,
    );
  if (other)
    throw new GranaryError(
      'InvalidInput',
      `${where}: "${text}" names ${found.map((r) => r.id).join(' and ')}. Write one of these.`,
    );
  return only;
}
