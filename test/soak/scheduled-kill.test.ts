import { DAY_POINTS, scheduledKills } from '../support/scheduled-kills.js';

scheduledKills(DAY_POINTS);
