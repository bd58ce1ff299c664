import fs from 'node:fs';
import path from 'node:path';

/**
 * What is known of a server between runs. A server is running when `pid` is alive and started at `started`;
 * the ports stay, so that it comes back under the same address.
 * @typedef {object} Record
 * @property {number} pid
 * @property {string} started
 * @property {import('./server.mjs').Ports} ports
 * @property {import('./programs.mjs').Program} program
 */

/**
 * @param {import('./layout.mjs').Layout} layout
 * @param {string} name
 * @returns {Record | undefined}
 */
export function readRecord(layout, name) {
  try {
    return JSON.parse(fs.readFileSync(layout.record(name), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {import('./layout.mjs').Layout} layout
 * @param {string} name
 * @param {Record} record
 */
export function writeRecord(layout, name, record) {
  const file = layout.record(name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.draft`, JSON.stringify(record));
  fs.renameSync(`${file}.draft`, file);
}
