import { expect } from 'vitest';
import type { Project } from '../../definitions/index.js';
import { openLake } from './lake.js';
import type { World } from './world.js';

/**
 * What must hold once all runs of a project have ended, however they did: no row of the registry is open, nothing that they staged is left in the store
 * (a folder, or `s3://bucket/prefix`) or in the database, and whatever lies under a version's name was committed, and is whole.
 */
export async function expectNothingOpen(
  world: World,
  project: Pick<Project, 'name'>,
  lakeAddress?: string,
): Promise<void> {
  const open = await world.registry(
    project,
    `SELECT 'run' AS what, run_id AS id FROM {schema}.runs WHERE ended_at IS NULL OR status IN ('PENDING', 'RUNNING')
     UNION ALL SELECT 'step', run_id || ' ' || step_id FROM {schema}.steps WHERE status IN ('PENDING', 'RUNNING')
     UNION ALL SELECT 'backfill', id FROM {schema}.backfills WHERE ended_at IS NULL OR status IN ('PENDING', 'RUNNING')
     UNION ALL SELECT 'not published', target || ' ' || version FROM {schema}.datasets WHERE published_at IS NULL`,
  );
  const tables = await world.pg.query<{ tablename: string }>(
    `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename LIKE '\\_\\_stage%'`,
    [`granary_${project.name}_dev_offline`],
  );
  expect({ open, tables: tables.rows }).toEqual({ open: [], tables: [] });
  if (lakeAddress === undefined) return;
  await using lake = openLake(lakeAddress);
  const paths = await lake.list('');
  const visible = paths.filter((path) => /(^|\/)v_\d{8}T\d{6}\//.test(path));
  const committed = await world.registry(
    project,
    `SELECT d.folder || '/' || d.version || '/' || (f ->> 'name') AS path FROM {schema}.datasets d, jsonb_array_elements(d.files) f`,
  );
  expect({ staged: paths.filter((path) => path.startsWith('_staging/')), visible: visible.sort() }).toEqual({
    staged: [],
    visible: committed.map(({ path }) => String(path)).sort(),
  });
}
