import { CRASH_POINTS } from '../../activities/crash-points.js';
import { killedAt } from '../support/disturbed-run.js';
import { faultSuite } from '../support/fault-suite.js';

/** Works by hand have tests of their own: a pipeline passes none of their points. */
const POINTS = CRASH_POINTS.filter(
  (point) => !/^(rollback|remove|refresh|apply|promote|feast|backfill)\./.test(point),
);
/** Between the questions that a store asks before it writes `latest`: a link on disk, five objects in a bucket. */
const latest = (passings: readonly number[]) =>
  passings.map((passing) => `store.mid-latest:${passing}` as const);

faultSuite('a worker killed at any crash point', [
  ...[...POINTS, ...latest([2, 3])].map((point) => ({
    title: `${point}: what is left is what an undisturbed run leaves`,
    disturbance: () => killedAt(point),
  })),
  ...[...POINTS.filter((point) => point.startsWith('store.')), ...latest([2, 3, 4, 5, 6])].map((point) => ({
    title: `${point}, on S3: what is left is what an undisturbed run leaves`,
    disturbance: () => ({ ...killedAt(point), files: 's3' as const }),
  })),
]);
