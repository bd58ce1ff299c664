import { tableRuns } from '../support/tables.js';

// A slice; test/soak has every point.
tableRuns(['store.after-commit', 'stage.after-stage']);
