import { randomBytes } from 'node:crypto';
import { ScheduleNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GranaryClient, type ScheduleChange } from '../../client/index.js';
import type { PipelineOptions } from '../../definitions/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { grpcProxy, WORKFLOW_SERVICE } from '../support/grpc-proxy.js';
import { addresses, createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
const made: Client[] = [];
afterAll(async () => {
  for (const { client, ids } of made) {
    for (const id of ids)
      await world.temporal.schedule
        .getHandle(id)
        .delete()
        .catch(() => undefined);
    await client.close();
  }
  await world[Symbol.asyncDispose]();
});

interface Client {
  readonly client: GranaryClient;
  readonly ids: readonly string[];
}

const NAME = (): string => `s${randomBytes(5).toString('hex')}`;
/** A client of such a project; its schedules are deleted in the end. */
async function opened(
  name: string,
  pipelines: Readonly<Record<string, Partial<PipelineOptions>>>,
): Promise<GranaryClient> {
  const client = await GranaryClient.connect({
    project: scheduledShop(name, world.folder, pipelines).project,
  });
  const ids = Object.keys(pipelines).flatMap((key) => [`${name}_dev/${key}`, `${name}_dev/${key}/deadline`]);
  made.push({ client, ids });
  return client;
}

const actions = (changes: readonly ScheduleChange[]): string[] =>
  changes.map(({ pipeline: of, kind, action }) => `${of} ${kind}: ${action}`);
const stateOf = async (id: string) => (await world.temporal.schedule.getHandle(id).describe()).state;

describe('an apply of schedules', () => {
  it('creates them, with every policy as it is declared, and then finds nothing to do', async () => {
    const name = NAME();
    const client = await opened(name, {
      daily: { endDate: '2030-01-01' },
      often: {
        schedule: {
          cron: '*/30 6-8 * * MON-FRI',
          timezone: 'Europe/Prague',
          catchup: '3d',
          overlap: 'bufferOne',
          jitter: '5m',
          pauseOnFailure: true,
        },
      },
    });
    const preview = await client.schedules.apply({ dryRun: true });
    expect(actions(preview)).toEqual(['daily pipeline: create', 'often pipeline: create']);
    await expect(stateOf(`${name}_dev/daily`)).rejects.toBeInstanceOf(ScheduleNotFoundError);

    expect(await client.schedules.apply()).toEqual(preview);
    const daily = await world.temporal.schedule.getHandle(`${name}_dev/daily`).describe();
    expect(daily.action).toMatchObject({
      workflowType: 'pipeline',
      args: [{ pipeline: 'daily' }],
      workflowId: `pipeline/${name}_dev/daily`,
      taskQueue: `granary-${name}-dev`,
      staticSummary: 'daily by its schedule',
    });
    expect(daily.policies).toEqual({ overlap: 'SKIP', catchupWindow: 10_000, pauseOnFailure: false });
    // The first run is for the first interval, the last for the last.
    expect(daily.spec.startAt).toEqual(new Date('2026-01-02T00:00:00Z'));
    expect(daily.spec.endAt).toEqual(new Date('2030-01-01T00:00:00Z'));
    const often = await world.temporal.schedule.getHandle(`${name}_dev/often`).describe();
    expect(often.policies).toEqual({
      overlap: 'BUFFER_ONE',
      catchupWindow: 3 * 86_400_000,
      pauseOnFailure: true,
    });
    expect(often.spec).toMatchObject({ timezone: 'Europe/Prague', jitter: 300_000 });

    const again = await client.schedules.apply();
    expect(again.map(({ action, fields }) => [action, fields])).toEqual([
      ['unchanged', []],
      ['unchanged', []],
    ]);
  });

  it('shows what changes, field by field, and keeps a pause with its note', async () => {
    const name = NAME();
    const first = await opened(name, { daily: {}, other: {} });
    await first.schedules.apply();
    await first.schedules.pause('daily', { reason: 'the source is being moved' });
    const paused = await stateOf(`${name}_dev/daily`);
    expect(paused).toMatchObject({
      paused: true,
      note: expect.stringMatching(/^the source is being moved \(paused by .+@.+\)$/) as unknown,
    });
    const second = await opened(name, {
      daily: { schedule: { cron: '0 1 * * *', catchup: '1d' } },
      other: {},
    });
    expect((await second.schedules.list())[0]).toMatchObject({
      state: 'paused',
      differs: expect.arrayContaining(['cron: "0 0 * * *" -> "0 1 * * *"']) as unknown,
    });
    const [change, other] = await second.schedules.apply();
    expect(change).toMatchObject({
      action: 'update',
      fields: [
        'catchup: "off" -> "1d"',
        'cron: "0 0 * * *" -> "0 1 * * *"',
        'startAt: "2026-01-02T00:00:00Z" -> "2026-01-02T01:00:00Z"',
      ],
      paused: { note: paused.note },
    });
    expect(other?.action).toBe('unchanged');
    expect(await stateOf(`${name}_dev/daily`)).toEqual(paused);
    await second.schedules.resume('daily');
    expect((await stateOf(`${name}_dev/daily`)).paused).toBe(false);
  });

  it('keeps a pause that comes between its look and its write', async () => {
    const name = NAME();
    const first = await opened(name, { daily: {} });
    await first.schedules.apply();
    let writes = 0;
    await using proxy = await grpcProxy(addresses.temporal, async ({ path }, pass) => {
      if (path === `${WORKFLOW_SERVICE}UpdateSchedule` && writes++ === 0)
        await first.schedules.pause('daily', { reason: 'the source is away' });
      return await pass();
    });
    vi.stubEnv('TEMPORAL_ADDRESS', proxy.address);
    const next = await opened(name, { daily: { schedule: { cron: '0 3 * * *' } } });
    vi.unstubAllEnvs();
    expect(actions(await next.schedules.apply())).toEqual(['daily pipeline: update']);
    expect(await stateOf(`${name}_dev/daily`)).toMatchObject({
      paused: true,
      note: expect.stringContaining('the source is away') as unknown,
    });
    expect((await next.schedules.describe('daily')).applied).toMatchObject({ cron: '0 3 * * *' });
    expect(writes).toBe(2);
  });

  it('runs twice at a time to one whole result, also with other definitions', async () => {
    const name = NAME();
    const pipelines = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`p${i}`, {}]));
    const [a, b] = await Promise.all([opened(name, pipelines), opened(name, pipelines)]);
    await Promise.all([a.schedules.apply(), b.schedules.apply()]);
    expect((await a.schedules.apply()).map(({ action }) => action)).toEqual(Array(4).fill('unchanged'));
    const later = { schedule: { cron: '0 3 * * *', overlap: 'bufferAll' } } as const;
    const c = await opened(name, Object.fromEntries(Object.keys(pipelines).map((key) => [key, later])));
    await Promise.allSettled([a.schedules.apply(), c.schedules.apply()]);
    for (const { applied } of await Promise.all(
      Object.keys(pipelines).map((key) => c.schedules.describe(key)),
    ))
      expect(['0 0 * * * skip', '0 3 * * * bufferAll']).toContain(
        `${String(applied['cron'])} ${String(applied['overlap'])}`,
      );
  });

  it('deletes what is not declared any more only when it is told to', async () => {
    const name = NAME();
    const all = await opened(name, { daily: {}, old: { deadline: '2h' } });
    await all.schedules.apply();
    // Somebody else's schedule with such an id is left alone.
    const foreign = `${name}_dev/foreign`;
    await world.temporal.schedule.create({
      scheduleId: foreign,
      spec: { cronExpressions: ['0 0 * * *'] },
      state: { paused: true },
      action: { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' },
    });
    const fewer = await opened(name, { daily: {} });
    const undeclared = ['daily pipeline: unchanged', 'old pipeline: undeclared', 'old deadline: undeclared'];
    // Temporal lists a new schedule after a moment.
    await expect.poll(async () => actions(await fewer.schedules.apply())).toEqual(undeclared);
    expect(await fewer.schedules.list()).toMatchObject([
      { pipeline: 'daily', state: 'active' },
      { pipeline: 'old', state: 'undeclared' },
    ]);
    await expect(fewer.schedules.apply({ pipelines: ['daily'], prune: true })).rejects.toThrow(
      /goes with no names/,
    );
    expect(actions(await fewer.schedules.apply({ prune: true }))).toEqual(
      undeclared.map((line) => line.replace('undeclared', 'delete')),
    );
    await expect(stateOf(`${name}_dev/old`)).rejects.toBeInstanceOf(ScheduleNotFoundError);
    expect((await stateOf(foreign)).paused).toBe(true);
    await world.temporal.schedule.getHandle(foreign).delete();
  });

  it('keeps the schedule of deadlines in step, running whatever becomes of the other', async () => {
    const name = NAME();
    const late = await opened(name, { daily: { deadline: { warn: '1h', cancel: '2h' } } });
    expect(actions(await late.schedules.apply())).toEqual([
      'daily pipeline: create',
      'daily deadline: create',
    ]);
    await late.schedules.pause('daily');
    const id = `${name}_dev/daily/deadline`;
    const { action, policies, state } = await world.temporal.schedule.getHandle(id).describe();
    expect(action).toMatchObject({
      workflowType: 'deadline',
      args: [{ pipeline: 'daily' }],
      workflowId: `deadline/${name}_dev/daily`,
    });
    expect(policies).toMatchObject({ overlap: 'ALLOW_ALL', catchupWindow: 365 * 86_400_000 });
    expect(state.paused).toBe(false);
    expect((await late.schedules.describe('daily')).deadline).toEqual({ id, state: 'active' });
    const never = await opened(name, { daily: {} });
    expect(actions(await never.schedules.apply({ pipelines: ['daily'] }))).toEqual([
      'daily pipeline: unchanged',
      'daily deadline: delete',
    ]);
    await expect(stateOf(id)).rejects.toBeInstanceOf(ScheduleNotFoundError);
  });

  it('writes nothing when one pipeline is wrong, or an id is another project’s', async () => {
    const name = NAME();
    const wrong = await opened(name, {
      a: {},
      b: { startDate: '2026-01-01', endDate: '2026-01-01T12:00:00Z' },
    });
    await expect(wrong.schedules.apply()).rejects.toThrow(/No interval of the schedule/);
    await expect(stateOf(`${name}_dev/a`)).rejects.toBeInstanceOf(ScheduleNotFoundError);
    await expect(wrong.schedules.apply({ pipelines: ['c'] })).rejects.toThrow(
      /no pipeline "c"\. Did you mean/,
    );
    await expect(wrong.schedules.describe('a')).rejects.toThrow(/granary schedule apply a --env dev/);
  });
});

describe('a schedule', () => {
  it('starts its run for a date, for the last complete interval, and once at a time', async () => {
    const name = NAME();
    const client = await opened(name, { daily: { endDate: '2026-01-10', schedule: { cron: '0 6 * * *' } } });
    await client.schedules.apply();
    await client.schedules.pause('daily');
    const dated = await client.schedules.trigger('daily', { date: '2026-01-03' });
    expect(dated).toMatchObject({
      workflowId: `pipeline/${name}_dev/daily-2026-01-04T06:00:00Z`,
      interval: { start: '2026-01-03T06:00:00Z', end: '2026-01-04T06:00:00Z' },
      outcome: 'started',
    });
    const handle = world.temporal.workflow.getHandle(dated.workflowId, dated.runId);
    const { typedSearchAttributes, memo } = await handle.describe();
    const tick = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
    expect(typedSearchAttributes.get(tick)).toEqual(new Date('2026-01-04T06:00:00Z'));
    expect(memo).toMatchObject({ granary: { pipeline: 'daily', project: name } });
    expect(await client.schedules.trigger('daily', { date: '2026-01-03' })).toEqual({
      ...dated,
      outcome: 'joined',
    });
    expect((await client.schedules.trigger('daily')).interval.end).toBe('2026-01-09T06:00:00Z');
    await expect(client.schedules.trigger('daily', { date: '2026-02-01' })).rejects.toThrow(/endDate/);

    await handle.terminate();
    const detail = await client.schedules.describe('daily');
    expect(detail).toMatchObject({ state: 'paused', counts: { started: 2, skipped: 0, missed: 0 } });
    expect(detail.recent.map(({ status, at }) => [status, at])).toEqual([
      ['RUNNING', '2026-01-09T06:00:00Z'],
      ['TERMINATED', '2026-01-04T06:00:00Z'],
    ]);
    const again = await client.schedules.trigger('daily', { date: '2026-01-03' });
    expect(again).toMatchObject({ workflowId: dated.workflowId, outcome: 'started' });
    expect(again.runId).not.toBe(dated.runId);
    await client.schedules.delete('daily');
    await expect(client.schedules.describe('daily')).rejects.toThrow(/no schedule in dev yet/);
    for (const { workflowId } of detail.recent)
      await world.temporal.workflow.getHandle(workflowId).terminate();
  });

  it('starts nothing outside its bounds: its first run is for the first interval, its last for the last', async () => {
    const name = NAME();
    const client = await opened(name, {
      daily: { startDate: '2090-01-01', endDate: '2090-01-04', schedule: { cron: '0 6 * * *' } },
    });
    await client.schedules.apply();
    const { upcoming } = await client.schedules.describe('daily');
    expect(upcoming).toEqual(
      ['01', '02'].map((day) => ({
        at: `2090-01-0${Number(day) + 1}T06:00:00Z`,
        interval: { start: `2090-01-${day}T06:00:00Z`, end: `2090-01-0${Number(day) + 1}T06:00:00Z` },
      })),
    );
  });

  it('tells of its next runs and their intervals', async () => {
    const name = NAME();
    const client = await opened(name, { daily: { schedule: { cron: '0 0 1 1 *' } } });
    await client.schedules.apply();
    const { upcoming, applied } = await client.schedules.describe('daily');
    expect(upcoming.length).toBeGreaterThan(1);
    for (const { at, interval } of upcoming)
      expect(interval).toEqual({ start: `${Number(at.slice(0, 4)) - 1}-01-01T00:00:00Z`, end: at });
    expect(applied).toMatchObject({ cron: '0 0 1 1 *', catchup: 'off', endAt: 'never' });
  });
});
