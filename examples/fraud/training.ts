/** Reads training rows one at a time, as a training loop does. Run: `npx tsx examples/fraud/training.ts [fraud_training_until]`. */
import { GranaryClient } from 'granary/client';
import project, { fraudTraining, fraudTrainingUntil } from './definitions.js';

const client = await GranaryClient.connect({ project });
try {
  const examples =
    process.argv[2] === fraudTrainingUntil.name
      ? client.trainingSet(fraudTrainingUntil)
      : client.trainingSet(fraudTraining);
  let shown = 0;
  for await (const example of examples) {
    console.log(example);
    if (++shown === 25) break;
  }
} finally {
  await client.close();
}
