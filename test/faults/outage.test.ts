import { faultSuite } from '../support/fault-suite.js';
import { outage, servedByOwn } from '../support/outages.js';

// A slice; test/soak has every server in every step, also for longer.
faultSuite(
  'a server that is killed and comes back',
  [
    outage({ server: 'postgres', point: 'store.before-commit', seconds: 5 }),
    outage({ server: 'redis', point: 'load.after-group', seconds: 0, emptied: true }),
  ],
  { servers: servedByOwn },
);
