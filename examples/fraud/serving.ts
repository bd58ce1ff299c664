/** The newest feature values of a customer. Run: `npx tsx examples/fraud/serving.ts C1210000`. */
import { GranaryClient } from 'granary/client';
import project, { avgTransactions } from './definitions.js';

const client = await GranaryClient.connect({ project });
try {
  const customer = process.argv[2] ?? 'C1210000';
  console.log(await client.features([avgTransactions], { customer }));
} finally {
  await client.close();
}
