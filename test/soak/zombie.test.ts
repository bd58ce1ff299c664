import { faultSuite } from '../support/fault-suite.js';
import { zombies } from '../support/zombies.js';

faultSuite('a worker that sleeps past its time-outs', zombies());
