import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shop } from '../fixtures/shop.js';
import { freePort } from '../support/free-port.js';
import { granary } from '../support/granary-command.js';
import { atTick } from '../support/ticks.js';
import { startWorkerProcess } from '../support/worker-process.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const LATE = 'test/fixtures/late-project.ts';

it('granary worker --metrics shows Prometheus the deadlines that it raised, beside what Temporal measures, and logs them', async () => {
  const name = `m${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const { project } = await shop(name, folder);
  world.uses(project);
  const address = `127.0.0.1:${await freePort()}`;
  await using worker = await startWorkerProcess({
    project: LATE,
    env: { SHOP_NAME: name, SHOP_FOLDER: folder },
    flags: ['--metrics', address],
  });
  const watch = async (): Promise<unknown> => {
    const args = [{ pipeline: 'shop_daily' }];
    return await (
      await atTick(world, `granary-${name}-dev`, 'deadline', args, '2026-01-03T00:00:00Z')
    ).result();
  };
  await watch();
  // Raised already: counted no more.
  await watch();
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const counted = text.split('\n').filter((line) => line.startsWith('granary_deadlines_total{'));
  expect(counted.map((line) => /kind="(\w+)"/.exec(line)?.[1]).sort()).toEqual(['exceeded', 'warned']);
  for (const line of counted) expect(line).toMatch(/pipeline="shop_daily".*\} 1$/);
  expect(text).toMatch(/^temporal_num_pollers\{/m);
  expect(worker.log()).toMatch(/WARN.*The pipeline shop_daily missed its deadline for 2026-01-02/);
});

it('an address for metrics that is taken is told at the start', async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
  });
  const name = `m${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await shop(name, folder);
  try {
    const { status, stderr } = await granary(
      { SHOP_NAME: name, SHOP_FOLDER: folder },
      ...['worker', '--project', LATE, '--metrics', `127.0.0.1:${port}`],
    );
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/Metrics cannot be served at "127\.0\.0\.1:\d+".*Give an address/s);
  } finally {
    taken.close();
  }
});
