import { answersLost } from '../support/disturbed-run.js';
import { faultSuite } from '../support/fault-suite.js';

/**
 * The write happened, but the server never heard that the activity was done: a proxy drops its first completion. The retry
 * finds the commit, and has no second effect.
 */
faultSuite('answers that are lost', [
  {
    title: 'the first completion of every kind of activity: each is tried again and changes nothing',
    disturbance: () =>
      answersLost([
        'claimStep',
        'buildRows',
        'validateRows',
        'storeVersion',
        'joinTrainingSet',
        'stageOnline',
        'loadShard',
        'recordLoad',
        'finishRun',
      ]),
  },
]);
