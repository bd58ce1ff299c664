import { CRASH_POINTS } from '../../activities/crash-points.js';
import { killedAt } from '../support/disturbed-run.js';
import { faultSuite } from '../support/fault-suite.js';

/** Points of a rollback have a test of their own: a pipeline passes none of them. */
const POINTS = CRASH_POINTS.filter((point) => !point.startsWith('rollback.'));

faultSuite(
  'a worker killed at any crash point',
  [...POINTS, 'store.mid-latest:2' as const, 'store.mid-latest:3' as const].map((point) => ({
    title: `${point}: what is left is what an undisturbed run leaves`,
    disturbance: () => killedAt(point),
  })),
);
