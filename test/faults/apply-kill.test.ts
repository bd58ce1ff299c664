import { applyKills } from '../support/apply-kills.js';

// A slice; test/soak has every point.
applyKills(['apply.after-lock', 'store.after-commit'], ['apply.before-register', 'load.before-record']);
