import { scheduledKills } from '../support/scheduled-kills.js';

// A slice; test/soak has every point.
scheduledKills(['claim.after-own', 'store.mid-latest', 'load.before-record', 'run.after-end']);
