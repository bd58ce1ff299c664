import { faultSuite } from '../support/fault-suite.js';
import { zombies } from '../support/zombies.js';

const onS3 = zombies([
  'store.before-commit',
  'store.mid-publish',
  'store.mid-latest:2',
  'store.mid-latest:3',
]);

faultSuite('a worker that sleeps past its time-outs', [
  ...zombies(),
  ...onS3.map(({ title, disturbance }) => ({
    title: `${title}, on S3`,
    disturbance: (world: Parameters<typeof disturbance>[0]) => ({
      ...disturbance(world),
      files: 's3' as const,
    }),
  })),
]);
