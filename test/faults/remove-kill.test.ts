import { removeKills } from '../support/remove-kills.js';

// A slice; test/soak has every point.
removeKills(['remove.after-online', 'remove.mid-files']);
