import { backfillKills } from '../support/backfill-kills.js';

// A slice; test/soak has every point.
backfillKills(['backfill.after-plan', 'backfill.after-fail', 'backfill.before-end']);
