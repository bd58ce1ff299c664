import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isAlive, ownIdentity } from './processes.mjs';

/**
 * Writes down that this process uses the services. Who leaves last stops them.
 * @param {import('./layout.mjs').Layout} layout
 * @returns {() => void} takes the entry back
 */
export function joinUsers({ users }) {
  const file = path.join(users, `${process.pid}-${randomUUID()}`);
  fs.mkdirSync(users, { recursive: true });
  fs.writeFileSync(file, JSON.stringify(ownIdentity()));
  return () => fs.rmSync(file, { force: true });
}

/**
 * The pids of those who use the services now. Entries of dead processes are swept away.
 * @param {import('./layout.mjs').Layout} layout
 * @returns {number[]}
 */
export function liveUsers({ users }) {
  const files = fs.existsSync(users) ? fs.readdirSync(users).map((name) => path.join(users, name)) : [];
  return files.flatMap((file) => {
    const user = read(file);
    if (isAlive(user)) return [user.pid];
    fs.rmSync(file, { force: true });
    return [];
  });
}

/** @param {string} file */
function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
