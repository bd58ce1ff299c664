#!/usr/bin/env node
import './node-version.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { ensureBuild, ensureDependencies } from './dependencies.mjs';
import { runWithServices } from './run-with-services.mjs';
import { defaultDir, repository } from '../services/layout.mjs';

const usage = `Usage: npm run demo -- [options]

Runs the daily pipeline of examples/flights over real US flights of 2001. What is missing (packages, a Temporal
server, Postgres, Valkey) is set up under .granary/ first, and stopped at the end.

  --days <n>      how many consecutive days to run
  --from <date>   the first day, such as 2001-03-01
  --to <date>     the last day
  --rebuild       makes the days again, also where they are valid
  --files <where> where the lake is: local (a folder, the default) or s3 (a SeaweedFS server is set up as well)
  --keep          leaves the services running and prints their addresses

To use servers of your own set TEMPORAL_ADDRESS, DATABASE_URL, REDIS_URL or S3_ENDPOINT (the bucket is
granary, or the one that FLIGHTS_S3_BUCKET names).`;

const program = 'examples/flights/demo.ts';

/** @type {(part: string, message: string) => void} */
const log = (part, message) => console.log(`${part.padEnd(9)} ${message}`);

/** @param {object} env */
function tellWhatRuns(env) {
  console.log('\nStill running, as asked for by --keep:');
  for (const [name, value] of Object.entries(env)) console.log(`  ${name}=${value}`);
  console.log('Stop it with: npm run services -- down');
}

/**
 * Whether the lake shall be in S3.
 * @param {readonly string[]} args
 */
function isInS3(args) {
  const at = args.findIndex((arg) => arg === '--files' || arg.startsWith('--files='));
  if (at < 0) return false;
  const files = args[at] === '--files' ? args[at + 1] : args[at]?.slice('--files='.length);
  if (files !== 's3' && files !== 'local')
    throw new Error(`--files ${files ?? ''} is not known. Write --files local or --files s3.`);
  return files === 's3';
}

/** @param {readonly string[]} args */
async function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return 0;
  }
  if (!fs.existsSync(path.join(repository, program)))
    throw new Error(`${program} is missing: is this a whole checkout?`);
  const inS3 = isInS3(args);
  if (inS3) process.env['FLIGHTS_S3_BUCKET'] ||= 'granary';
  else delete process.env['FLIGHTS_S3_BUCKET'];
  await ensureDependencies(log);
  await ensureBuild(log);
  return runWithServices(['--import', 'tsx', program, ...args], {
    dir: defaultDir,
    log,
    only: ['temporal', 'postgres', 'redis', ...(inS3 ? /** @type {const} */ (['s3']) : [])],
    keep: args.includes('--keep'),
    whenKept: tellWhatRuns,
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
