#!/usr/bin/env node
import './node-version.mjs';
import { ensurePython } from './python-environment.mjs';

/** `npm run python`: makes the Python environment of the tests and the benches, and prints its interpreter. */
try {
  console.log(await ensurePython((part, message) => console.error(`${part.padEnd(9)} ${message}`)));
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
