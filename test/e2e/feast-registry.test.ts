import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { RegistrySchema } from '../../feast/registry_pb.js';
import { applied } from '../fixtures/applied.js';
import { writeSales } from '../fixtures/shop.js';
import { DAY, declared, makeSecond, ONLINE, online, onlineAs } from '../support/promoted.js';
import { startWorkerProcess } from '../support/worker-process.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Views and their features, as a `registry.pb` has them. */
const viewsOf = (bytes: Buffer): Record<string, string> =>
  Object.fromEntries(
    fromBinary(RegistrySchema, bytes).featureViews.map(({ spec }) => [
      spec?.name ?? '',
      (spec?.features ?? []).map((f) => f.name).join(),
    ]),
  );

it('an apply writes registry.pb, and another one that changes nothing leaves it alone', async () => {
  const name = `f${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const path = join(folder, 'lake', 'feast', 'dev', 'registry.pb');
  await world.withWorker(applied(name, folder), async (client) => {
    await (await client.apply()).result();
    const before = await readFile(path);
    expect(Object.keys(viewsOf(before))).toEqual(['spending']);
    await (await client.apply()).result();
    expect((await readFile(path)).equals(before)).toBe(true);
  });
});

it('registry.pb follows a promotion once all is loaded, although its worker is killed, and a deletion', async () => {
  const { name, folder, first, both } = await declared(world);
  const path = join(first.lake, 'feast', 'dev', 'registry.pb');
  const views = async (): Promise<Record<string, string>> => viewsOf(await readFile(path));
  const worker = {
    project: 'test/fixtures/promoted-project.ts',
    env: { SHOP_NAME: name, SHOP_FOLDER: folder },
  };
  await world.withWorker(both, async (client) => {
    await makeSecond(client);
    await (await client.promote('view/totals', { variant: 'v2' })).result();
    expect(await views()).toMatchObject({ totals: 'total,buys', totals_v1: 'total,n' });
  });

  const client = await GranaryClient.connect({ project: both });
  try {
    const before = await readFile(path);
    await using doomed = await startWorkerProcess({
      ...worker,
      armed: { point: 'feast.before-write', action: 'wait' },
    });
    const run = await client.promote('view/totals', { previous: true });
    await doomed.told('feast.before-write');
    // Feast's readers still read by the other definition; what they will read is loaded.
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(await online(both)).toEqual(ONLINE.first);
    expect(await onlineAs(both, 'v2')).toEqual([ONLINE.second[0], null]);
    await doomed.signal('SIGKILL');
    await using _successor = await startWorkerProcess(worker);
    await run.result();
    expect(await views()).toMatchObject({ totals: 'total,n', totals_v2: 'total,buys' });
    expect(await online(both)).toEqual(ONLINE.first);

    await (await client.remove('view/totals.v2')).result();
    expect(await views()).not.toHaveProperty('totals_v2');
  } finally {
    await client.close();
  }
}, 180_000);

it('registry.pb follows a promotion that was terminated once it had switched, before another load takes away what it replaced', async () => {
  const { name, folder, first, both } = await declared(world);
  const path = join(first.lake, 'feast', 'dev', 'registry.pb');
  const worker = {
    project: 'test/fixtures/promoted-project.ts',
    env: { SHOP_NAME: name, SHOP_FOLDER: folder },
  };
  const client = await GranaryClient.connect({ project: both });
  try {
    await world.withWorker(both, makeSecond);
    await using doomed = await startWorkerProcess({
      ...worker,
      armed: { point: 'load.after-record', action: 'wait' },
    });
    const run = await client.promote('view/totals', { variant: 'v2' });
    await doomed.told('load.after-record');
    await doomed.signal('SIGKILL');
    await world.temporal.workflow.getHandle(run.workflowId).terminate('enough');
    // It has switched, and nobody was told.
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
    await using _successor = await startWorkerProcess(worker);
    await (
      await client.run('shop_daily', { date: DAY, targets: ['view/totals.v2'], rebuild: true })
    ).result();
    expect(viewsOf(await readFile(path))).toMatchObject({ totals: 'total,buys', totals_v1: 'total,n' });
    expect(await online(both)).toEqual(ONLINE.second);
  } finally {
    await client.close();
  }
});
