import { tableNames } from '../support/table-names.js';

// A slice; test/soak has every point.
tableNames(['promote.mid-tables:2'], ['remove.after-files']);
