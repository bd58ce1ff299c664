import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { ScheduleNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import type { PipelineOptions } from '../../definitions/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { grpcProxy, WORKFLOW_SERVICE } from '../support/grpc-proxy.js';
import { granary } from '../support/granary-command.js';
import { until } from '../support/until.js';
import { addresses, createWorld, type World } from '../support/world.js';

/** `granary schedule apply`, killed before and after each of its calls that change something in Temporal. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

type Pipelines = Readonly<Record<string, Partial<PipelineOptions>>>;
const BEFORE: Pipelines = {
  changed: { deadline: '2h', schedule: { cron: '0 0 * * *' } },
  gone: { deadline: '2h' },
  same: { deadline: '1h' },
  watched: { deadline: '2h' },
};
const AFTER: Pipelines = {
  changed: { deadline: '2h', schedule: { cron: '0 1 * * *', catchup: '3d', overlap: 'bufferOne' } },
  fresh: { deadline: '3h' },
  same: { deadline: '1h' },
  // Its deadline is taken out, and the schedule beside it goes.
  watched: { schedule: { cron: '0 2 * * *' } },
};
/** What an apply with `--prune` changes then, in its order: two updates, two new ones, an update, three deletions. */
const CALLS = [
  ...['UpdateSchedule', 'UpdateSchedule', 'CreateSchedule', 'CreateSchedule', 'UpdateSchedule'],
  ...['DeleteSchedule', 'DeleteSchedule', 'DeleteSchedule'],
];
const CHANGES = new Set([...CALLS, 'PatchSchedule']);

interface Place {
  readonly name: string;
  /** The command's words and variables. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly client: GranaryClient;
}

/** A project whose schedules were applied once, and changed since; a person has paused one of them. */
async function place(work: (place: Place) => Promise<void>): Promise<void> {
  const name = `k${randomBytes(5).toString('hex')}`;
  const clientOf = (pipelines: Pipelines): Promise<GranaryClient> =>
    GranaryClient.connect({ project: scheduledShop(name, world.folder, pipelines).project });
  const [before, client] = await Promise.all([clientOf(BEFORE), clientOf(AFTER)]);
  try {
    const made = await before.schedules.apply();
    await before.schedules.pause('changed', { reason: 'the source is being moved' });
    // Temporal lists a new schedule after a moment, and --prune goes by the list.
    await until('all schedules are listed', async () => (await idsOf(name)).length === made.length, {
      timeoutMs: 20_000,
    });
    await work({
      name,
      client,
      command: [
        ...['schedule', 'apply', '--prune'],
        ...['--env', 'dev', '--project', 'test/fixtures/scheduled-project.ts'],
      ],
      env: {
        SCHEDULED_NAME: name,
        SCHEDULED_FOLDER: world.folder,
        SCHEDULED_PIPELINES: JSON.stringify(AFTER),
      },
    });
  } finally {
    for (const id of await idsOf(name))
      await world.temporal.schedule
        .getHandle(id)
        .delete()
        .catch(() => undefined);
    await Promise.all([before.close(), client.close()]);
  }
}

async function idsOf(name: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of world.temporal.schedule.list())
    if (scheduleId.startsWith(`${name}_dev/`)) ids.push(scheduleId);
  return ids.sort();
}

/** All that there is of the project's schedules, under one name for all projects. */
async function left({ name }: Place): Promise<object> {
  const found: Record<string, unknown> = {};
  for (const pipeline of new Set([...Object.keys(BEFORE), ...Object.keys(AFTER)]))
    for (const id of [`${name}_dev/${pipeline}`, `${name}_dev/${pipeline}/deadline`])
      try {
        const { spec, action, policies, state } = await world.temporal.schedule.getHandle(id).describe();
        found[id] = { spec, action, policies, state };
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      }
  // The hash is of the name as well.
  const text = JSON.stringify(found).replaceAll(name, 'NAME');
  return JSON.parse(text.replaceAll(/"hash":"[^"]*"/g, '"hash":""')) as object;
}

/** Runs the command through a proxy that holds its call number `at`, before Temporal has it or before the answer; then kills it. */
async function killed(at: number, side: 'before' | 'after', { command, env }: Place): Promise<string[]> {
  const calls: string[] = [];
  let reached = (): void => undefined;
  const isReached = new Promise<void>((resolve) => (reached = resolve));
  await using proxy = await grpcProxy(addresses.temporal, async ({ path }, pass) => {
    const call = path.slice(WORKFLOW_SERVICE.length);
    if (!CHANGES.has(call)) return await pass();
    if (calls.push(call) !== at) return await pass();
    if (side === 'after') await pass();
    reached();
    return await new Promise<never>(() => undefined);
  });
  const child = spawn(process.execPath, ['cli/granary.cjs', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env, TEMPORAL_ADDRESS: proxy.address },
  });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(String(chunk)));
  const exited = once(child, 'close');
  await Promise.race([isReached, exited]);
  expect([child.exitCode, said.join('')]).toEqual([null, '']);
  child.kill('SIGKILL');
  await exited;
  return calls;
}

describe('granary schedule apply', () => {
  let undisturbed: object;
  beforeAll(async () => {
    await place(async (at) => {
      const { status, stderr } = await granary(at.env, ...at.command);
      expect([status, stderr]).toEqual([0, '']);
      await at.client.schedules.pause('same', { reason: 'after it' });
      undisturbed = await left(at);
    });
  });

  it('leaves the schedules of what is declared, with the pauses of people', () => {
    const schedules = undisturbed as Record<
      string,
      { readonly state: { readonly paused: boolean; readonly note?: string } }
    >;
    expect(Object.keys(schedules).sort()).toEqual(
      ['changed', 'changed/deadline', 'fresh', 'fresh/deadline', 'same', 'same/deadline', 'watched'].map(
        (id) => `NAME_dev/${id}`,
      ),
    );
    const paused = Object.entries(schedules).flatMap(([id, { state }]) =>
      state.paused ? [[id, state.note]] : [],
    );
    expect(paused).toEqual([
      ['NAME_dev/changed', expect.stringMatching(/^the source is being moved \(paused by /)],
      ['NAME_dev/same', expect.stringMatching(/^after it \(paused by /)],
    ]);
  });

  const points = [['before', 1] as const, ...CALLS.map((_, index) => ['after', index + 1] as const)];
  it.each(points)(
    'killed %s its change %i: a second one ends where one that nothing disturbed does',
    async (side, number) => {
      await place(async (at) => {
        expect(await killed(number, side, at)).toEqual(CALLS.slice(0, number));
        // What a person does in between is kept as well.
        await at.client.schedules.pause('same', { reason: 'after it' });
        await at.client.schedules.apply({ prune: true });
        expect(await left(at)).toEqual(undisturbed);
        expect((await at.client.schedules.apply({ prune: true })).map(({ action }) => action)).toEqual(
          Object.keys(undisturbed).map(() => 'unchanged'),
        );
        await until(
          'nothing else is listed',
          async () => (await idsOf(at.name)).length === Object.keys(undisturbed).length,
          { timeoutMs: 20_000 },
        );
      });
    },
    120_000,
  );
});
