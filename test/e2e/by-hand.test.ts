import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { writeSales } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { atTick } from '../support/ticks.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Starts a workflow as the form of Temporal's UI does: one payload of JSON as it was typed, or none where the box was left empty. */
async function typed(taskQueue: string, input: string, type = 'pipeline'): Promise<RunResult> {
  const workflowId = randomUUID();
  const encoding = { encoding: Buffer.from('json/plain') };
  await world.temporal.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId,
    requestId: randomUUID(),
    workflowType: { name: type },
    taskQueue: { name: taskQueue },
    ...(input === '' ? {} : { input: { payloads: [{ metadata: encoding, data: Buffer.from(input) }] } }),
  });
  return (await world.temporal.workflow.getHandle(workflowId).result()) as RunResult;
}

describe('a pipeline that is started from Temporal’s UI', () => {
  it('takes the last complete interval, a date, an interval or targets, and says what is wrong with other input', async () => {
    const name = `h${randomBytes(5).toString('hex')}`;
    await writeSales(world.folder);
    const schedule = { cron: '0 0 * * *', timezone: 'Asia/Seoul' };
    const { project } = scheduledShop(name, world.folder, {
      user_features_daily: { schedule, startDate: '2025-12-31', endDate: '2026-01-09T15:00:00Z' },
    });
    await world.withWorker(project, async () => {
      const start = async (input: string): Promise<readonly [string, string, number]> => {
        const { interval, steps } = await typed(`granary-${name}-dev`, input);
        return [interval.start, interval.end, steps.length];
      };
      const last = ['2026-01-08T15:00:00Z', '2026-01-09T15:00:00Z', 2];
      expect(await start('')).toEqual(last);
      expect(await start('{}')).toEqual(last);
      expect(await start('null')).toEqual(last);
      expect(await start('{"pipeline": "user_features_daily"}')).toEqual(last);
      // The date is Seoul's.
      const third = ['2026-01-02T15:00:00Z', '2026-01-03T15:00:00Z'];
      expect(await start('{"pipeline": "user_features_daily", "date": "2026-01-03"}')).toEqual([...third, 2]);
      const ends = `"from": "${third[0] ?? ''}", "to": "${third[1] ?? ''}"`;
      expect(await start(`{"pipeline": "user_features_daily", ${ends}}`)).toEqual([...third, 2]);
      expect(
        await start(
          '{"pipeline": "user_features_daily", "date": "2026-01-04", "targets": ["source/totals"]}',
        ),
      ).toEqual(['2026-01-03T15:00:00Z', '2026-01-04T15:00:00Z', 1]);
      for (const [input, message] of [
        ['{"pipelin": "user_features_daily"}', /unknown field "pipelin"\. Did you mean "pipeline"/],
        [
          '{"pipeline": "user_feature_daily"}',
          /no pipeline "user_feature_daily"\. Did you mean "user_features_daily"/,
        ],
        ['{"date": "3.1.2026"}', /is not a date.*in Asia\/Seoul/],
        ['{"from": "2026-01-02"}', /"from" and "to" go together/],
        ['"user_features_daily"', /must be one JSON object, not a string/],
      ] as const) {
        const failure = await failureOf(start(input));
        expect(failure.message).toMatch(message);
        expect(failure.nonRetryable).toBe(true);
      }
    });
  });

  it('is refused an interval that has not ended, whoever starts it, and nothing of it is made', async () => {
    const name = `h${randomBytes(5).toString('hex')}`;
    await writeSales(world.folder);
    const { project } = scheduledShop(name, world.folder, { daily: {} }, { training: true });
    const queue = `granary-${name}-dev`;
    await world.withWorker(project, async (client) => {
      const ends = '"from": "2090-01-02T00:00:00Z", "to": "2090-01-03T00:00:00Z"';
      const tick = await atTick(world, queue, 'pipeline', [{ pipeline: 'daily' }], '2090-01-03T00:00:00Z');
      for (const run of [
        () => typed(queue, '{"pipeline": "daily", "date": "2090-01-02"}'),
        () => typed(queue, `{"pipeline": "daily", ${ends}}`),
        () => typed(queue, '{"date": "2090-01-02", "targets": ["source/totals"]}'),
        () => typed(queue, '{"view": "totals", "date": "2090-01-02"}', 'materialize'),
        () => typed(queue, `{"trainingSet": "large_purchases", ${ends}}`, 'trainingSet'),
        () => client.run('daily', { date: '2090-01-02' }).then((handle) => handle.result()),
        // Temporal's own backfill of a schedule fires for times to come, too.
        () => tick.result(),
      ]) {
        const failure = await failureOf(run());
        expect(failure).toMatchObject({ type: 'InvalidInterval', nonRetryable: true });
        expect(failure.message).toMatch(
          /^The interval \[2090-01-02T00:00:00Z, 2090-01-03T00:00:00Z\) of daily has not ended yet.*it ends at 2090-01-03T00:00:00Z.*the last complete one, \[20\S+, 20\S+\)\.$/,
        );
      }
      expect(await client.runs.list()).toEqual([]);
      expect(await world.online(`${name}_dev`)).toEqual(new Map());
    });
  });
});
