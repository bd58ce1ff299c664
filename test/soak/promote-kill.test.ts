import { promoteKills } from '../support/promote-kills.js';

promoteKills(
  [
    'load.before-record',
    'load.after-record',
    'feast.before-write',
    'feast.after-write',
    'promote.before-retire',
    'promote.after-retire',
  ],
  ['promote.before-switch', 'promote.after-switch'],
);
