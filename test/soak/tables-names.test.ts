import { tableNames } from '../support/table-names.js';

tableNames(
  [
    'promote.before-switch',
    'promote.after-switch',
    // Asked first without a lock.
    'promote.mid-tables',
    'promote.mid-tables:2',
    'promote.after-tables',
  ],
  [undefined, 'remove.mid-files', 'remove.after-files', 'remove.before-rows'],
);
