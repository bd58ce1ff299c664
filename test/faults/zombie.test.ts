import { faultSuite } from '../support/fault-suite.js';
import { zombies } from '../support/zombies.js';

// test/soak/zombie.test.ts has them all.
faultSuite('a worker that sleeps past its time-outs', zombies(['load.after-group']));
