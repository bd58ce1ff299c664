import { applyKills } from '../support/apply-kills.js';

// A slice; test/soak has every point.
applyKills(
  ['apply.after-lock', 'apply.after-register', 'store.after-commit'],
  ['apply.before-register', 'apply.after-check', 'load.before-record'],
);
