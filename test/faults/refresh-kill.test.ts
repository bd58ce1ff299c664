import { refreshKills } from '../support/refresh-kills.js';

// A slice; test/soak has every point.
refreshKills(['promote.before-retire']);
