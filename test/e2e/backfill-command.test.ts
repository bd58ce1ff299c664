import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { caller } from '../../client/caller.js';
import type { BuildContext } from '../../definitions/index.js';
import { shop, totalsOf } from '../fixtures/shop.js';
import { commandHere } from '../support/command-here.js';
import { expectGolden, settled } from '../support/golden.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

interface Stands {
  readonly status: string;
  readonly pausedBy?: string;
  readonly intervals: Readonly<Record<'completed' | 'running' | 'waiting' | 'cancelled', number>>;
  readonly left: readonly object[];
}

it('granary backfill pause, resume and cancel: what is in flight ends, no other begins, it goes on, what was made stays', async () => {
  const name = `b${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const gate = join(world.folder, `${name}-gate`);
  const begun: string[] = [];
  const { project } = await shop(name, folder, {
    totals: totalsOf({
      build: async function* ({ interval, signal }: BuildContext) {
        begun.push(interval.start.slice(0, 10));
        while (!existsSync(gate)) {
          signal.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        yield { user_id: 1n, event_timestamp: interval.end, total: 1, n: 1n };
      },
    }),
  });
  const run = (...args: string[]) =>
    commandHere(
      { SHOP_NAME: name, SHOP_FOLDER: folder },
      ...args,
      '--project',
      'test/fixtures/shop-project.ts',
    );
  let said = '';
  const command = async (status: number, ...args: string[]): Promise<void> => {
    const outcome = await run(...args);
    expect(outcome, args.join(' ')).toMatchObject({ status });
    said += `$ granary ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}exit status ${status}\n\n`;
  };
  const stands = async (backfill: string): Promise<Stands> =>
    JSON.parse((await run('backfill', 'status', backfill, '--json')).stdout) as Stands;
  await world.withWorker(project, async () => {
    const started = await run(
      ...['backfill', 'shop_daily', '--to', '2026-01-06', '--concurrency', '1', '--detach', '--json'],
    );
    const backfill = (JSON.parse(started.stdout) as { name: string }).name;
    const reached = (what: string, holds: (state: Stands) => boolean): Promise<void> =>
      until(what, async () => holds(await stands(backfill)), { timeoutMs: 30_000 });
    const began = (n: number): Promise<void> =>
      until(`${n} have begun`, () => Promise.resolve(begun.length === n), { timeoutMs: 30_000 });

    await began(1);
    await command(0, 'backfill', 'pause');
    await reached('it is paused', ({ pausedBy }) => pausedBy === caller());
    await command(0, 'backfill', 'status');
    await command(0, 'backfill', 'status', backfill);
    expect(await stands(backfill)).toMatchObject({ intervals: { completed: 0, running: 1, waiting: 4 } });
    await writeFile(gate, '');
    await reached('what was in flight has ended', ({ intervals }) => intervals.completed === 1);
    await rm(gate);
    expect(await stands(backfill)).toMatchObject({
      status: 'RUNNING',
      intervals: { running: 0, waiting: 4 },
    });
    expect(begun).toEqual(['2026-01-01']);

    await command(0, 'backfill', 'resume', backfill);
    await began(2);
    await reached('it is paused no more', ({ pausedBy }) => pausedBy === undefined);
    await command(0, 'backfill', 'status', backfill);
    await command(0, 'backfill', 'cancel');
    await reached('it is cancelled', ({ status }) => status === 'CANCELLED');
    await command(1, 'backfill', 'status', backfill);
    await command(0, 'backfill', 'status');
    expect((await stands(backfill)).left).toHaveLength(4);
    expect(begun).toEqual(['2026-01-01', '2026-01-02']);
    await command(2, 'backfill', 'pause');
    await command(2, 'backfill', 'cancel', backfill);
    said = said.replaceAll(backfill, '<name>');
  });
  await expectGolden('backfill-controlled', settled(said, { [name]: 'SHOP', [caller()]: '<user>' }));
});
