#!/usr/bin/env node
'use strict';
// In words that a Node of any age can read: one that is too old is told so.
const { engines, peerDependencies } = require('../package.json');

/** One line, or with --json one object, as cli/failure.ts writes them. */
function fail(code, exitCode, message) {
  const isJson = process.argv.includes('--json');
  const error = { code, message, details: {}, exitCode };
  process.stderr.write(isJson ? `${JSON.stringify({ error })}\n` : `granary: ${message} [${code}]\n`);
  process.exit(exitCode);
}

/** Whether a version, such as 20.18.1, is older than the least one, such as 20.19. */
function isOlder(version, least) {
  const [major, minor] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

/** Says why the command itself could not be loaded. */
function notLoaded(error) {
  const [, kind, name] = /^Cannot find (package|module) '([^']+)'/.exec(error.message) || [];
  if (!name) return fail('Internal', 1, `The command cannot be loaded: ${error.stack || error}`);
  if (kind === 'package' && name in peerDependencies) {
    const all = Object.entries(peerDependencies).map(([peer, range]) => `${peer}@${range}`);
    return fail(
      'ConfigurationMissing',
      2,
      `The package ${name} is not installed; it belongs beside granary. Install those that do: npm install ${all.join(' ')}`,
    );
  }
  return fail(
    'ConfigurationMissing',
    2,
    `The ${kind} ${name} is missing. Install the project's packages anew: npm install`,
  );
}

const least = engines.node.replace('>=', '');
// DuckDB's queries run in libuv's pool: with as many queries as threads nothing else would. The size counts only if it is set before the pool is
// used for the first time, which loading an ES module already does.
process.env.UV_THREADPOOL_SIZE = process.env.UV_THREADPOOL_SIZE || '16';

if (isOlder(process.versions.node, least))
  fail(
    'ConfigurationMissing',
    2,
    `Node ${process.versions.node} is too old: granary needs ${least} or newer. Install one: https://nodejs.org/en/download`,
  );
else import('../lib/cli/main.js').then(({ main }) => main(), notLoaded);
