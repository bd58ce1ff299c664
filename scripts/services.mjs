#!/usr/bin/env node
import './node-version.mjs';
import { parseArgs } from 'node:util';
import { purgeServices, serviceStatus, startServices, stopServices } from '../services/index.mjs';

const usage = `Usage: npm run services -- up [service...] | down | status | purge   [--dir <folder>]

  up      starts Temporal, Postgres, Redis and S3 (or the ones named) and leaves them running;
          prints their addresses as NAME=value
  down    stops them; their data stays
  status  says what runs
  purge   stops them and removes their data; downloaded programs stay in .granary/bin

  --dir   the folder for their data and logs (default: .granary/services)`;

/** @type {import('../services/index.mjs').Log} */
const log = (part, message) => console.error(`${part.padEnd(9)} ${message}`);

/** @param {object} env */
const lines = (env) => Object.entries(env).map(([name, value]) => `${name}=${value}`);

/** @type {Record<string, (dir: string | undefined, names: any[]) => Promise<void>>} */
const commands = {
  async up(dir, names) {
    const services = await startServices({ dir, only: names.length > 0 ? names : undefined, log });
    await services.keep();
    await services.stop();
    console.log(lines(services.env).join('\n'));
  },
  async down(dir) {
    await stopServices({ dir, log });
  },
  async status(dir) {
    for (const { name, pid, env } of serviceStatus({ dir })) {
      console.log(`${name.padEnd(9)} ${pid ? `pid ${pid}  ${lines(env).join(' ')}` : 'not running'}`);
    }
  },
  async purge(dir) {
    await purgeServices({ dir, log });
  },
};

/** @param {readonly string[]} args */
async function main(args) {
  const options = /** @type {const} */ ({ dir: { type: 'string' }, help: { type: 'boolean', short: 'h' } });
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [name = '', ...names] = positionals;
  const command = commands[name];
  if (values.help) return console.log(usage);
  if (!command) throw new Error(usage);
  await command(values.dir, names);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
