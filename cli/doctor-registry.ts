import { randomUUID } from 'node:crypto';
import { registryPath } from '../activities/export-feast.js';
import { feastProjectOf } from '../activities/feast-project.js';
import { writtenStores } from '../activities/staging.js';
import { checkProviders } from '../client/provider-health.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { writeRegistry } from '../feast/registry.js';
import type { OpenProject } from '../providers/bind.js';
import { registryError } from '../registry/database.js';
import { migrationState, type MigrationState } from '../registry/migration-state.js';
import { openRegistry } from '../registry/registry.js';
import { clockFinding, failed, fixed, ok, skipped, warning, type Finding } from './doctor-findings.js';

/** Checks of the registry; `fix` migrates it, and does nothing else. */
export async function checkRegistry(
  open: OpenProject,
  { fix }: { readonly fix: boolean },
): Promise<Finding[]> {
  let state: MigrationState;
  try {
    state = await migrationState(open.registry);
  } catch (error) {
    return [
      failed('registry', messageOf(registryError(error))),
      ...['migrations', 'clock of Postgres', "Feast's registry.pb"].map((check) =>
        skipped(check, 'the registry cannot be read'),
      ),
    ];
  }
  const migrations = await checkMigrations(open, state, fix);
  const isCurrent = migrations.state === 'ok' || migrations.state === 'fixed';
  return [
    ok('registry', `answers, schema ${open.registry.schema}`),
    migrations,
    clockFinding('Postgres', state.clock),
    isCurrent
      ? await checkFeast(open)
      : skipped("Feast's registry.pb", "the registry's tables are not those of this release"),
  ];
}

async function checkMigrations(open: OpenProject, state: MigrationState, fix: boolean): Promise<Finding> {
  const { applied, missing, unknown } = state;
  const newest = applied.at(-1);
  if (unknown.length > 0)
    return failed(
      'migrations',
      `the registry has migration ${unknown.join(', ')}, which this release does not know`,
      'Update granary here to the release of the workers.',
    );
  if (missing.length === 0) return ok('migrations', `at the newest, ${newest ?? 0}`);
  if (!fix)
    return warning(
      'migrations',
      newest === undefined
        ? 'there are no tables yet; the first apply or run makes them'
        : `at ${newest}; missing: ${missing.join(', ')}. The next run of a worker of this release adds them`,
      'granary doctor --fix',
    );
  const registry = openRegistry(open.registry);
  try {
    await registry.migrate();
  } finally {
    await registry.close();
  }
  return fixed('migrations', `applied: ${missing.join(', ')}`);
}

/** Whether Feast's registry file says what is registered. */
async function checkFeast({ registry: address, providers, scope }: OpenProject): Promise<Finding> {
  const check = "Feast's registry.pb";
  const registry = openRegistry(address);
  try {
    const resources = await registry.resources.all();
    const [name] = writtenStores(resources.values());
    if (name === undefined) return ok(check, 'none: nothing that is registered lies in files');
    const store = providers.files(name);
    const path = registryPath(scope.environment);
    const before: { state: 'absent' | 'stale' | 'in step' } = { state: 'in step' };
    await store.update(path, (bytes) => {
      const project = feastProjectOf(scope, resources, (other) => providers.files(other));
      const written = writeRegistry(bytes, project, { versionId: randomUUID(), now: new Date() });
      before.state = bytes === undefined ? 'absent' : written === undefined ? 'in step' : 'stale';
      // Nothing is written: this looks only.
      return Promise.resolve(undefined);
    });
    if (before.state === 'in step') return ok(check, `in step at ${store.uri(path)}`);
    return warning(
      check,
      before.state === 'absent'
        ? `there is none at ${store.uri(path)}`
        : `${store.uri(path)} differs from what is registered`,
      'granary apply writes it.',
    );
  } catch (error) {
    const known = registryError(error);
    if (!(known instanceof GranaryError)) throw known;
    return failed(check, known.message);
  } finally {
    await registry.close();
  }
}

/** Whether each provider can be worked with from this machine. */
export async function checkBound(open: OpenProject): Promise<Finding[]> {
  const found = await checkProviders(open, undefined);
  return found.map(({ name, healthy, error = 'it cannot be worked with', ms }) =>
    healthy ? ok(`provider ${name}`, `healthy (${ms} ms)`) : failed(`provider ${name}`, error),
  );
}
