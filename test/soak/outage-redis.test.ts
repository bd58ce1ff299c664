import { faultSuite } from '../support/fault-suite.js';
import { outage, servedByOwn, STEPS } from '../support/outages.js';

faultSuite(
  'redis, killed in each step and started again',
  [
    ...[5, 30].flatMap((seconds) => STEPS.map((point) => outage({ server: 'redis', point, seconds }))),
    ...(['stage.after-stage', 'load.after-group', 'load.before-receipt', 'load.before-record'] as const).map(
      (point) => outage({ server: 'redis', point, seconds: 0, emptied: true }),
    ),
  ],
  { servers: servedByOwn },
);
