// The shape that temporal.mjs, postgres.mjs, redis.mjs and s3.mjs share, so that starting, adopting and stopping are
// written once.

/**
 * @typedef {Record<string, number>} Ports by the names in `Server.ports`
 *
 * @typedef {object} Server
 * @property {import('./index.mjs').ServiceName} name
 * @property {string} variable the address variable that stands in for it
 * @property {readonly string[]} ports
 * @property {NodeJS.Signals} stopSignal
 * @property {RegExp} [transient] what its log says when starting it again in a moment will do
 * @property {string} remedy what the user can do when it cannot be had
 * @property {string} [substitute] what happens instead where we can do without
 * @property {{ program: RegExp, flag: string, values: (layout: import('./layout.mjs').Layout) => string[] }} trace
 *   by which its process is known among all others
 * @property {(search: import('./programs.mjs').Search) => Promise<import('./programs.mjs').Program | undefined>} locate
 * @property {(layout: import('./layout.mjs').Layout, program: import('./programs.mjs').Program) => Promise<Site>} prepare
 *   makes its data folder where there is none
 * @property {(layout: import('./layout.mjs').Layout, ports: Ports, pid: number) => Promise<boolean>} isReady
 *   whether this very process answers, and not another that was quicker to bind the port
 * @property {(ports: Ports) => Record<string, string>} environment the variables by which programs find it
 * @property {(ports: Ports) => Promise<void>} [tidy] once it has ended: removes what it leaves outside of its folder
 *
 * @typedef {object} Site one server on one data folder, ready to be started
 * @property {string} command
 * @property {(ports: Ports) => string[]} args
 * @property {import('node:child_process').SpawnOptions} [options]
 * @property {() => void} [whenReady]
 */

import { postgres } from './postgres.mjs';
import { redis } from './redis.mjs';
import { s3 } from './s3.mjs';
import { temporal } from './temporal.mjs';

/** @type {readonly Server[]} */
export const servers = [temporal, postgres, redis, s3];

/**
 * @param {string} name
 * @returns {Server}
 */
export function serverNamed(name) {
  const server = servers.find((each) => each.name === name);
  if (!server)
    throw new Error(
      `There is no service '${name}'. Services: ${servers.map((each) => each.name).join(', ')}.`,
    );
  return server;
}
