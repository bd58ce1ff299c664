#!/usr/bin/env node
import './node-version.mjs';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ensureBuild, ensureDependencies } from './dependencies.mjs';
import { mutants } from './mutants/list.mjs';
import { startServices } from '../services/index.mjs';
import { repository } from '../services/layout.mjs';
import { environmentFor } from '../services/environment.mjs';

/**
 * Switches one protection off at a time, in a copy of this checkout, and expects that a test fails: `npm run mutants`, or
 * `npm run mutants -- newer-wins` for some. Ends with a failure when one survives.
 */
const folder = path.join(repository, '.granary', 'mutants');
const vitest = path.join('node_modules', 'vitest', 'vitest.mjs');

/** @type {(part: string, message: string) => void} */
const log = (part, message) => console.log(`${part.padEnd(9)} ${message}`);

/**
 * A copy of every file that git knows, with the installed packages of this checkout.
 * @param {string} to
 */
function copyCheckout(to) {
  fs.rmSync(to, { recursive: true, force: true });
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: repository,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((name) => name && fs.existsSync(path.join(repository, name))))
    fs.cpSync(path.join(repository, file), path.join(to, file));
  fs.symlinkSync(path.join(repository, 'node_modules'), path.join(to, 'node_modules'));
  fs.mkdirSync(path.join(to, '.granary'));
  fs.symlinkSync(path.join(repository, '.granary', 'bin'), path.join(to, '.granary', 'bin'));
}

/**
 * @param {string} copy
 * @param {readonly import('./mutants/list.mjs').Edit[]} edits
 */
function edit(copy, edits) {
  for (const { file, from, to } of edits) {
    const text = fs.readFileSync(path.join(copy, file), 'utf8');
    if (text.split(from).length !== 2)
      throw new Error(
        `${file} holds this ${text.split(from).length - 1} times, not once: ${from}\nMend scripts/mutants/list.mjs.`,
      );
    fs.writeFileSync(
      path.join(copy, file),
      text.replace(from, () => to),
    );
  }
}

/**
 * The tests that failed, by name; none means that the mutant lives.
 * @param {string} copy
 * @param {import('./mutants/list.mjs').Mutant} mutant
 * @param {NodeJS.ProcessEnv} env
 */
function failedTests(copy, mutant, env) {
  if (mutant.inWorkerProcess)
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
      cwd: copy,
      stdio: 'inherit',
    });
  const pattern = mutant.only === undefined ? [] : ['-t', mutant.only];
  const { stdout } = spawnSync(
    process.execPath,
    [
      vitest,
      'run',
      '--project',
      'main',
      '--project',
      'faults',
      '--typecheck.enabled=false',
      ...mutant.tests,
      ...pattern,
    ],
    { cwd: copy, env, encoding: 'utf8', timeout: 400_000, maxBuffer: 2 ** 28 },
  );
  const report = path.join(copy, '.granary', 'test-report.json');
  if (!fs.existsSync(report)) throw new Error(`The tests of ${mutant.name} did not run:\n${stdout}`);
  /** @type {{ testResults: { message: string, assertionResults: { status: string, fullName: string }[] }[] }} */
  const { testResults } = JSON.parse(fs.readFileSync(report, 'utf8'));
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  if (!results.some(({ status }) => status === 'passed' || status === 'failed'))
    throw new Error(`No test of ${mutant.name} ran: ${testResults.map(({ message }) => message).join('\n')}`);
  return results.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName.trim());
}

/** @param {readonly string[]} failed */
function verdict([first, ...more]) {
  if (first === undefined) return 'LIVES: no test noticed';
  return `red: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`;
}

/** @param {readonly string[]} names */
async function main(names) {
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0)
    throw new Error(
      `No mutant is named ${unknown.join(', ')}. There are: ${mutants.map(({ name }) => name).join(', ')}.`,
    );
  await ensureDependencies(log);
  await ensureBuild(log);
  const services = await startServices({ dir: path.join(repository, '.granary', 'mutants-services'), log });
  const alive = [];
  try {
    for (const mutant of mutants.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const copy = path.join(folder, mutant.name);
      copyCheckout(copy);
      edit(copy, mutant.edits);
      const began = performance.now();
      const failed = failedTests(copy, mutant, environmentFor(services, folder));
      const seconds = Math.round((performance.now() - began) / 1000);
      console.log(`\n${mutant.name}: ${mutant.without}`);
      if (failed.length === 0) alive.push(mutant.name);
      console.log(`  ${verdict(failed)}, ${seconds} s`);
      fs.rmSync(copy, { recursive: true, force: true });
    }
  } finally {
    await services.stop();
  }
  console.log(alive.length === 0 ? '\nevery mutant was noticed' : `\nnot noticed: ${alive.join(', ')}`);
  return alive.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
