import { createHash } from 'node:crypto';
import type { Project } from '../../definitions/index.js';
import { openLake, type Lake } from './lake.js';
import type { World } from './world.js';

/** Of the flights' runs that faults befall; the first is a feature set, of which `latest` is looked at too. */
const FLIGHTS_FOLDERS = [
  'airport_features',
  'departure_counts',
  'route_features',
  'departures',
  'training_sets/delays',
] as const;

/** All that a project's runs left behind and users can see, without what may differ between two equal runs. */
export async function snapshot(
  world: World,
  project: Project,
  address: string,
  folders: readonly [string, ...string[]] = FLIGHTS_FOLDERS,
): Promise<object> {
  await using lake = openLake(address);
  return {
    versions: await versions(lake, folders),
    online: Object.fromEntries([...(await world.online(`${project.name}_dev`))].sort()),
    ledger: await world.registry(
      project,
      `SELECT target, interval_start::text AS start, interval_end::text AS "end", generation, fingerprint, inputs_hash,
        -- A load of more versions than the day's (the store had been emptied) has more rows.
        CASE WHEN target LIKE 'view/%' THEN NULL ELSE detail->'rows' END AS rows FROM {schema}.ledger ORDER BY target, interval_start`,
    ),
    unpublished: await world.registry(project, 'SELECT id FROM {schema}.datasets WHERE published_at IS NULL'),
    openRuns: await world.registry(project, 'SELECT run_id FROM {schema}.runs WHERE ended_at IS NULL'),
  };
}

/** Folder, interval and generation -> contents of each file by name; `latest` and `latest.json` by what they show. */
async function versions(lake: Lake, folders: readonly [string, ...string[]]): Promise<object> {
  const found: Record<string, unknown> = {};
  const [built] = folders;
  for (const folder of folders) {
    const paths = (await lake.list(folder)).map((path) => path.slice(folder.length + 1));
    for (const name of new Set(paths.flatMap((path) => /^v_[^/]+/.exec(path)?.[0] ?? []))) {
      const files = paths.filter((path) => path.startsWith(`${name}/`));
      const { at, contents } = await version(lake, folder, files);
      found[`${folder} ${at}`] = contents;
    }
  }
  const pointer = JSON.parse(String(await lake.read(`${built}/latest.json`))) as {
    interval: { start: string };
    generation: number;
    files: readonly { path: string }[];
  };
  found[`${built} latest.json`] = `${pointer.interval.start} generation ${pointer.generation}`;
  const latest = pointer.files.map(({ path }) => `latest/${path}`);
  found[`${built} latest`] = await version(lake, built, latest);
  return found;
}

async function version(
  lake: Lake,
  folder: string,
  paths: readonly string[],
): Promise<{ at: string; contents: Record<string, unknown> }> {
  const contents: Record<string, unknown> = {};
  let at = '';
  for (const path of [...paths].sort()) {
    const bytes = (await lake.read(`${folder}/${path}`)) ?? Buffer.from('not there');
    const name = path.split('/').at(-1) ?? '';
    contents[name] = createHash('sha256').update(bytes).digest('hex');
    if (name !== 'metadata.json') continue;
    const { run, ...metadata } = JSON.parse(bytes.toString()) as {
      run: { generation: number };
      interval: { start: string };
    };
    at = `${metadata.interval.start} generation ${run.generation}`;
    contents[name] = metadata;
  }
  return { at, contents };
}
