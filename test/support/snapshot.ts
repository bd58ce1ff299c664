import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project } from '../../definitions/index.js';
import type { World } from './world.js';

/** All that a project's runs left behind and users can see, without what may differ between two equal runs. */
export async function snapshot(world: World, project: Project, lake: string): Promise<object> {
  return {
    versions: await versions(lake),
    online: Object.fromEntries([...(await world.online(`${project.name}_dev`))].sort()),
    ledger: await world.registry(
      project,
      `SELECT target, interval_start::text AS start, interval_end::text AS "end", generation, fingerprint, inputs_hash, detail->'rows' AS rows FROM {schema}.ledger ORDER BY target, interval_start`,
    ),
    unpublished: await world.registry(project, 'SELECT id FROM {schema}.datasets WHERE published_at IS NULL'),
    openRuns: await world.registry(project, 'SELECT run_id FROM {schema}.runs WHERE ended_at IS NULL'),
  };
}

/** Folder -> interval and generation -> contents of each file by name; `latest` by the interval that it shows. */
async function versions(lake: string): Promise<object> {
  const found: Record<string, unknown> = {};
  for (const folder of [
    'airport_features',
    'departure_counts',
    'route_features',
    'departures',
    'training_sets/delays',
  ]) {
    for (const name of await readdir(join(lake, folder))) {
      if (!name.startsWith('v_')) continue;
      const { interval, generation, files } = await version(join(lake, folder, name));
      found[`${folder} ${interval} generation ${generation}`] = files;
      if (folder === 'airport_features' && (await readlink(join(lake, folder, 'latest'))) === name)
        found[`${folder} latest`] = `${interval} generation ${generation}`;
    }
  }
  const pointer = JSON.parse(await readFile(join(lake, 'airport_features', 'latest.json'), 'utf8')) as {
    interval: { start: string };
    generation: number;
  };
  found['airport_features latest.json'] = `${pointer.interval.start} generation ${pointer.generation}`;
  return found;
}

async function version(
  folder: string,
): Promise<{ interval: string; generation: number; files: Record<string, unknown> }> {
  const files: Record<string, unknown> = {};
  for (const name of (await readdir(folder)).sort())
    if (name !== 'metadata.json')
      files[name] = createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest('hex');
  const { run, ...metadata } = JSON.parse(await readFile(join(folder, 'metadata.json'), 'utf8')) as {
    run: { generation: number };
    interval: { start: string };
  };
  files['metadata.json'] = metadata;
  return { interval: metadata.interval.start, generation: run.generation, files };
}
