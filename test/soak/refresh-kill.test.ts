import { refreshKills } from '../support/refresh-kills.js';

refreshKills([
  'refresh.before-begin',
  'refresh.after-begin',
  'stage.after-stage',
  'load.before-receipt',
  'load.before-record',
  'load.after-record',
  'promote.before-retire',
  'promote.after-retire',
]);
