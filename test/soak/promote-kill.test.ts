import { promoteKills } from '../support/promote-kills.js';

promoteKills(
  ['load.before-record', 'load.after-record', 'promote.before-retire', 'promote.after-retire'],
  ['promote.before-switch', 'promote.after-switch'],
);
