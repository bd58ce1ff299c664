import { CRASH_POINTS } from '../../activities/crash-points.js';
import { applyKills } from '../support/apply-kills.js';

const OWN = CRASH_POINTS.filter((point) => /^(apply|feast)\./.test(point));
/** Of the steps that its runs do. */
const STEPS = [
  'run.before-begin',
  'claim.after-pin',
  'store.before-commit',
  'store.after-commit',
  'load.before-record',
  'load.after-record',
] as const;

applyKills(
  [...OWN, ...STEPS],
  // After the last one of its own there is nothing left to terminate.
  [...OWN.filter((point) => point !== 'apply.after-end'), ...STEPS],
);
