import { describe, expect, it } from 'vitest';
import { refuseOpen } from '../../activities/resolve-request.js';

const DAY = { start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' };

describe('an interval is taken by the time of the workflow that asks for it', () => {
  it.each([
    ['by hand, at its very end', '2026-01-03T00:00:00.000Z', false, true],
    ['by hand, a moment before its end', '2026-01-02T23:59:59.999Z', false, false],
    ['by hand, a day later', '2026-01-04T00:00:00Z', false, true],
    ['by a schedule, at its tick', '2026-01-03T00:00:00Z', true, true],
    ['by a schedule whose start a jitter put off', '2026-01-03T00:05:00Z', true, true],
    ['by a schedule that fired by a clock that is some seconds ahead', '2026-01-02T23:59:45Z', true, true],
    ['by a schedule, for a tick that is yet to come', '2026-01-02T23:30:00Z', true, false],
    ['by a run that began before the time was looked at', undefined, false, true],
  ])('%s', (_, clock, scheduled, isTaken) => {
    const asked = () => refuseOpen({ scheduled, ...(clock === undefined ? {} : { clock }) }, DAY, undefined);
    if (isTaken) expect(asked).not.toThrow();
    else expect(asked).toThrow(/\[2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z\) has not ended yet/);
  });
});
