import { faultSuite } from '../support/fault-suite.js';
import { outage, servedByOwn, STEPS } from '../support/outages.js';

faultSuite(
  's3, killed in each step and started again',
  [5, 30].flatMap((seconds) => STEPS.map((point) => outage({ server: 's3', point, seconds }))),
  { servers: servedByOwn },
);
