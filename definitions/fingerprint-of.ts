import { fingerprint } from './canonical.js';
import type { Resource } from './contract.js';
import { normalizeSql } from './sql.js';

/** SHA-256 of a definition's meaning: what SQL means does not depend on how it is laid out; what runs is the text as it was written. */
export function fingerprintOf({ kind, name, spec }: Pick<Resource, 'kind' | 'name' | 'spec'>): string {
  const { build, where } = spec as { readonly build?: { readonly sql?: string }; readonly where?: string };
  return fingerprint({
    kind,
    name,
    spec: {
      ...spec,
      ...(build?.sql === undefined ? {} : { build: { sql: normalizeSql(build.sql) } }),
      ...(where === undefined ? {} : { where: normalizeSql(where) }),
    },
  });
}
