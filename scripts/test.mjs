#!/usr/bin/env node
import './node-version.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { ensureBuild, ensureDependencies } from './dependencies.mjs';
import { runWithServices } from './run-with-services.mjs';
import { purgeServices } from '../services/index.mjs';
import { layoutOf, repository } from '../services/layout.mjs';
import { liveUsers } from '../services/users.mjs';

/** A folder a run: every run begins with empty databases, and two runs do not see each other. */
const allRuns = path.join(repository, '.granary', 'test-services');
const ownRun = path.join(allRuns, String(process.pid));

/** @type {(part: string, message: string) => void} */
const log = (part, message) => console.log(`${part.padEnd(9)} ${message}`);

/** Runs that were killed leave their servers and data behind. */
async function removeDeadRuns() {
  for (const run of fs.existsSync(allRuns) ? fs.readdirSync(allRuns) : []) {
    const dir = path.join(allRuns, run);
    if (dir === ownRun || liveUsers(layoutOf(dir)).length === 0) await removeRun(dir);
  }
}

/** @param {string} dir */
async function removeRun(dir) {
  await purgeServices({ dir });
  fs.rmSync(dir, { recursive: true, force: true });
}

/** @param {readonly string[]} args */
async function main(args) {
  await ensureDependencies(log);
  await ensureBuild(log);
  await removeDeadRuns();
  const project = ['soak', 'faults', 'sdk', 'commands'].find((name) => args.includes(`--${name}`)) ?? 'main';
  const rest = args.filter((arg) => arg !== `--${project}`);
  try {
    return await runWithServices(['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...rest], {
      dir: ownRun,
      log,
    });
  } finally {
    await removeRun(ownRun);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
