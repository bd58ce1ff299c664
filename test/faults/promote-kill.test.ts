import { promoteKills } from '../support/promote-kills.js';

// A slice; test/soak has every point. The second load is of the variant that was the default.
promoteKills(['load.before-record:2', 'promote.before-retire'], ['promote.after-switch']);
