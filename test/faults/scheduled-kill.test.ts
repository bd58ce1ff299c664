import { scheduledKills } from '../support/scheduled-kills.js';

// A slice; test/soak has every point.
scheduledKills([
  'run.before-begin',
  'claim.after-own',
  'store.after-commit',
  'store.mid-latest',
  'load.before-record',
  'run.after-end',
]);
