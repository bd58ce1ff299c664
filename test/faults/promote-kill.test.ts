import { promoteKills } from '../support/promote-kills.js';

// A slice; test/soak has every point.
promoteKills(['promote.before-retire'], ['promote.after-switch']);
