import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ServiceName } from '../../services/index.mjs';
import { heldAt } from './disturbed-run.js';
import type { FaultCase } from './fault-suite.js';
import { ownServers, type OwnServers } from './own-servers.js';
import type { Armed } from './worker-process.js';
import type { World } from './world.js';

/** One server that goes away in the middle of a step and comes back. */
export interface Outage {
  readonly server: ServiceName;
  readonly point: Armed['point'];
  readonly seconds: number;
  /** It comes back with nothing of what it had. */
  readonly emptied?: true;
}

/** A step a row, on the brink of what it writes. */
export const STEPS = [
  'claim.before-own',
  'build.before-stage',
  'transform.before-stage',
  'training-set.before-stage',
  'store.before-commit',
  'store.mid-publish',
  'stage.before-stage',
  'load.after-group',
  'load.before-record',
  'run.before-end',
] as const satisfies readonly Armed['point'][];

let servers: OwnServers | undefined;

/** For `faultSuite`: starts the servers that the outages kill. */
export const servedByOwn = async (): Promise<AsyncDisposable> => (servers = await ownServers());

/**
 * The server is killed while the worker holds at the point; then the worker goes on, into the outage. The run must end well by itself, within
 * its retries, and without hammering the server that is away.
 */
export const outage = ({ server, point, seconds, emptied }: Outage): FaultCase => ({
  title: `${server} is away for ${seconds} s at ${point}${emptied ? ', and comes back empty' : ''}`,
  disturbance: (world) => {
    const handle = (): ReturnType<OwnServers['handle']> => (servers as OwnServers).handle(server);
    const held = heldAt(
      world,
      point,
      () => handle().kill(),
      async () => {
        await sleep(seconds * 1000);
        if (emptied) await rm((servers as OwnServers).data(server), { recursive: true });
        await handle().start();
      },
    );
    let workflow = '';
    return {
      ...held,
      files: server === 's3' ? 's3' : 'local',
      act: async (rig, worker, run) => {
        workflow = run.workflowId;
        return await held.act?.(rig, worker, run);
      },
      afterwards: async () => expect(await mostAttempts(world, workflow)).toBeLessThanOrEqual(12),
    };
  },
});

/** The greatest number of attempts that an activity of a run took. */
async function mostAttempts(world: World, workflowId: string): Promise<number> {
  const { events } = await world.temporal.workflow.getHandle(workflowId).fetchHistory();
  return Math.max(...(events ?? []).map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0));
}
