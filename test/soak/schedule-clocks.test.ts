import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { checkClocks } from '../support/schedule-clocks.js';
import { addresses } from '../support/world.js';

/** What Temporal's scheduler really fires around changes of clocks, leap days and year ends, held against our ticks. */
let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await Connection.connect({ address: addresses.temporal });
  client = new Client({ connection });
});
afterAll(() => connection.close());

/** Spans with a change of clocks, by zone: half hours, midnights, quarters of an hour, east and west of UTC. */
const CHANGES: readonly (readonly [zone: string, ...spans: (readonly [string, string])[]])[] = [
  ['Europe/Prague', ['2026-03-27', '2026-04-02'], ['2026-10-23', '2026-10-29']],
  ['Europe/London', ['2026-03-27', '2026-04-02'], ['2026-10-23', '2026-10-29']],
  ['America/New_York', ['2026-03-06', '2026-03-12'], ['2026-10-30', '2026-11-05']],
  ['America/Los_Angeles', ['2026-03-06', '2026-03-12'], ['2026-10-30', '2026-11-05']],
  ['America/St_Johns', ['2026-03-06', '2026-03-12'], ['2026-10-30', '2026-11-05']],
  ['America/Santiago', ['2026-04-02', '2026-04-08'], ['2026-09-03', '2026-09-09']],
  ['Asia/Beirut', ['2026-03-27', '2026-04-02'], ['2026-10-22', '2026-10-28']],
  ['Australia/Lord_Howe', ['2026-04-02', '2026-04-08'], ['2026-10-01', '2026-10-07']],
  ['Australia/Adelaide', ['2026-04-02', '2026-04-08'], ['2026-10-01', '2026-10-07']],
  ['Pacific/Chatham', ['2026-04-02', '2026-04-08'], ['2026-09-24', '2026-09-30']],
  ['Asia/Kolkata', ['2026-03-27', '2026-04-02']],
  ['Asia/Kathmandu', ['2028-02-26', '2028-03-04']],
  ['UTC', ['2028-02-26', '2028-03-04'], ['2026-12-29', '2027-01-04']],
];

const DAILY = ['0 0', '30 0', '0 1', '30 1', '45 1', '0 2', '15 2', '30 2', '0 3', '30 3', '30 23'];
const OFTEN = ['0 *', '30 *', '*/30 *', '0 */2', '0 1-3', '15,45 0-4', '*/20 2,3'];
const CRONS = [...DAILY, ...OFTEN].map((fields) => `${fields} * * *`);

describe('every interval of a schedule is due in exactly one run', () => {
  const cases = CHANGES.flatMap(([zone, ...spans]) => spans.map((span) => [zone, ...span] as const));
  it.each(cases)('in %s from %s to %s', async (zone, from, to) => {
    await checkClocks(client, zone, [from, to], CRONS);
  });
});
