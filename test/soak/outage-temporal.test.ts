import { faultSuite } from '../support/fault-suite.js';
import { outage, servedByOwn, STEPS } from '../support/outages.js';

faultSuite(
  'temporal, killed in each step and started again',
  [5, 30].flatMap((seconds) => STEPS.map((point) => outage({ server: 'temporal', point, seconds }))),
  { servers: servedByOwn },
);
