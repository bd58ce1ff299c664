import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { intervalsBetween } from '../../definitions/ticks.js';
import { checkClocks, firings, ticking } from '../support/schedule-clocks.js';
import { addresses } from '../support/world.js';

/** What Temporal's scheduler really fires, held against our ticks; test/soak has more zones and more expressions. */
let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await Connection.connect({ address: addresses.temporal });
  client = new Client({ connection });
});
afterAll(() => connection.close());

describe('every interval of a schedule is due in exactly one run', () => {
  const crons = ['0 0', '30 1', '30 2', '0 *'].map((fields) => `${fields} * * *`);
  it.each([
    ['Europe/Prague', '2026-03-27', '2026-03-31'],
    ['Europe/Prague', '2026-10-23', '2026-10-27'],
    ['America/New_York', '2026-03-06', '2026-03-10'],
    ['America/New_York', '2026-10-30', '2026-11-03'],
    ['Australia/Lord_Howe', '2026-04-02', '2026-04-07'],
    ['Asia/Kolkata', '2028-02-27', '2028-03-02'],
  ])('in %s from %s to %s', async (zone, from, to) => {
    await checkClocks(client, zone, [from, to], crons);
  });
});

describe('days of the month and of the week are the same to Temporal', () => {
  it.each([
    ['0 0 31 * *', 'UTC', '2026-01-01', '2027-01-01', 7],
    ['0 0 29 2 *', 'UTC', '2023-01-01', '2033-01-01', 3],
    ['0 0 1,15 * *', 'Asia/Kolkata', '2026-01-01', '2027-01-01', 24],
    ['0 0 * * 1-7', 'UTC', '2026-01-01', '2026-02-01', 31],
    ['0 0 * * sun', 'America/New_York', '2026-01-01', '2027-01-01', 52],
    ['0 6 * * MON-FRI', 'Australia/Lord_Howe', '2026-01-01', '2026-02-01', 22],
    ['5/15 4 * JAN *', 'Europe/Prague', '2026-01-01', '2026-02-01', 124],
  ] as const)('%s in %s', async (cron, zone, from, to, ticks) => {
    const pipeline = ticking(cron, zone, '1999-01-01');
    // The span is open at its start to Temporal.
    const times = await firings(client, pipeline, `${from}T00:00:00Z`, `${to}T00:00:00Z`);
    const ours = intervalsBetween(pipeline.schedule, pipeline, '2020-01-01', `${to}T00:00:00Z`)
      .map(({ end }) => new Date(end).toISOString())
      .filter((end) => end > `${from}T00:00:00.000Z`);
    expect(times).toEqual(ours);
    expect(Math.abs(times.length - ticks)).toBeLessThanOrEqual(1);
  });
});
