import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { MINUTELY, minutely } from '../fixtures/minutely.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { until } from '../support/until.js';
import { startWorkerProcess } from '../support/worker-process.js';
import { createWorld, type World } from '../support/world.js';

/** Ticks that nobody fired, by the clock: Temporal itself is away, or the schedule is paused. A cron has minutes, so this takes some. */
let servers: OwnServers;
let world: World;
beforeAll(async () => {
  servers = await ownServers(['temporal']);
  world = await createWorld();
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

const MINUTE = 60_000;
const NAMES = Object.keys(MINUTELY) as (keyof typeof MINUTELY)[];
const minuteOf = (ms: number): number => Math.floor(ms / MINUTE) * MINUTE;
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

it('what Temporal’s absence or a pause kept from being fired is made where there is a catchup window, and nowhere else, each once', async () => {
  const name = `o${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const start = minuteOf(Date.now());
  const project = minutely(name, folder, iso(start));
  world.uses(project);
  const temporal = servers.handle('temporal');
  /** Ends of the intervals that are made, by pipeline, ascending; of one that was made twice twice. */
  const made = async (): Promise<Map<string, number[]>> => {
    const rows = await world
      .registry(
        project,
        'SELECT target, interval_end AS at FROM {schema}.datasets WHERE published_at IS NOT NULL ORDER BY interval_end',
      )
      // There is no registry before the first run.
      .catch((error: unknown) => {
        if ((error as { code?: string }).code === '42P01') return [];
        throw error;
      });
    return new Map(
      NAMES.map((key) => [
        key,
        rows
          .filter(({ target }) => String(target).startsWith(`source/minutes_${key}.`))
          .map(({ at }) => (at as Date).getTime()),
      ]),
    );
  };
  const all = async (holds: (ends: readonly number[]) => boolean): Promise<boolean> =>
    [...(await made()).values()].every(holds);
  const client = await GranaryClient.connect({ project });
  try {
    await client.schedules.apply();
    await using _worker = await startWorkerProcess({
      project: 'test/fixtures/minutely-project.ts',
      env: { MINUTELY_NAME: name, MINUTELY_FOLDER: folder, MINUTELY_START: iso(start) },
    });
    await until('all have made an interval', () => all((ends) => ends.length > 0), { timeoutMs: 150_000 });
    const last = minuteOf(Date.now());
    await until('all have made the last one', () => all((ends) => ends.at(-1) === last), {
      timeoutMs: 50_000,
    });
    for (const key of NAMES) if (key.startsWith('paused')) await client.schedules.pause(key);
    await temporal.kill();
    // Over two ticks, and past the least window that Temporal has for those that are not caught up.
    await sleep(last + 2 * MINUTE + 13_000 - Date.now());
    const back = Date.now();
    await temporal.start();
    for (const key of NAMES) if (key.startsWith('paused')) await client.schedules.resume(key);
    const next = minuteOf(back) + MINUTE;
    await until('all have made what ended since', () => all((ends) => ends.includes(next)), {
      timeoutMs: 150_000,
    });
    const missed = Array.from(
      { length: (minuteOf(back) - last) / MINUTE },
      (_, n) => last + (n + 1) * MINUTE,
    );
    expect(missed.length).toBeGreaterThanOrEqual(2);
    await until(
      'what was missed is made where it is caught up',
      async () => {
        const ends = await made();
        return missed.every(
          (end) => ends.get('caught_up')?.includes(end) && ends.get('paused_caught_up')?.includes(end),
        );
      },
      { timeoutMs: 30_000 },
    );
    for (const [key, ends] of await made()) {
      // The registry names what an end is: the text tells a failing test's reader.
      expect([key, ends.map(iso)]).toEqual([key, [...new Set(ends)].map(iso)]);
      const caught = missed.filter((end) => ends.includes(end));
      expect([key, caught.map(iso)]).toEqual([key, key.endsWith('not_caught_up') ? [] : missed.map(iso)]);
    }
  } finally {
    for (const key of NAMES) await client.schedules.delete(key).catch(() => undefined);
    await client.close();
  }
}, 600_000);
