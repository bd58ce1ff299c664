import { tableRuns } from '../support/tables.js';

tableRuns([
  'transform.before-stage',
  'transform.after-stage',
  'training-set.before-stage',
  'training-set.after-stage',
  'store.before-commit',
  'store.after-commit',
  'store.after-publish',
  'stage.before-stage',
  'stage.after-stage',
  'load.before-receipt',
  'load.before-record',
]);
