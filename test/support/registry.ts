import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { openRegistry, type Registry } from '../../registry/registry.js';
import type { RunRef } from '../../registry/ownership.js';

/** An interval for tests to which it does not matter which. */
export const DAY = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' };

/** A registry that the tests of one file have to themselves. */
export interface OwnRegistry {
  readonly url: string;
  readonly schema: string;
  readonly registry: Registry;
  /** For looks behind its back. */
  readonly pool: pg.Pool;
  /** Records the beginning of a run of one step. */
  begin(run: RunRef, step: string): Promise<void>;
}

/** Makes a registry in a schema of its own before the tests of a file, and drops it after them. */
export function ownRegistry(): OwnRegistry {
  const url = process.env['DATABASE_URL'] ?? '';
  const schema = `granary_test_${randomBytes(5).toString('hex')}`;
  const registry = openRegistry({ url, schema });
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  beforeAll(() => registry.migrate());
  afterAll(async () => {
    await registry.close();
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`);
    await pool.end();
  });
  const begin = (run: RunRef, step: string): Promise<void> =>
    registry.runs.begin({
      ...run,
      type: 'pipeline',
      retries: { max: 0, delay: '1s' },
      plan: {
        interval: DAY,
        fingerprint: '',
        steps: [{ id: step, kind: 'transform', name: step, dependsOn: [] }],
      },
    });
  return { url, schema, registry, pool, begin };
}
