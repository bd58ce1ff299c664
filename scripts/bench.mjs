#!/usr/bin/env node
import './node-version.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { ensureBuild, ensureDependencies } from './dependencies.mjs';
import { runWithServices } from './run-with-services.mjs';
import { repository } from '../services/layout.mjs';

/**
 * Benchmarks that do not need all of the services.
 * @type {Readonly<Record<string, readonly import('../services/index.mjs').ServiceName[]>>}
 */
const ONLY = { materialize: [], 'training-set': [], serve: ['redis', 'postgres'] };

/** `npm run bench -- pipeline`: one benchmark of bench/, with the services up. */
const [name, ...rest] = process.argv.slice(2);
const known = fs
  .readdirSync(path.join(repository, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => path.basename(file, '.ts'));

if (name === undefined || !known.includes(name)) {
  console.error(`Usage: npm run bench -- <name>. Names: ${known.join(', ')}`);
  process.exitCode = 2;
} else {
  /** @type {(part: string, message: string) => void} */
  const log = (part, message) => console.log(`${part.padEnd(9)} ${message}`);
  await ensureDependencies(log);
  await ensureBuild(log);
  // `granary`, as examples import it, is these sources and not a compiled copy of them.
  process.env['TSX_TSCONFIG_PATH'] = path.join(repository, 'tsconfig.test.json');
  process.exitCode = await runWithServices(['--import', 'tsx', `bench/${name}.ts`, ...rest], {
    dir: path.join(repository, '.granary', 'bench-services'),
    log,
    only: ONLY[name],
  });
}
