import fs from 'node:fs';
import path from 'node:path';

/**
 * The environment of a program that is to use these services. Where Temporal is our own, what the user's shell
 * or configuration file says of another server (namespace, API key, certificates) would only lead astray.
 * @param {import('./services/index.mjs').Services} services
 * @param {string} dir a folder for an empty configuration file
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentFor(services, dir) {
  if (!services.handles.temporal) return { ...process.env, ...services.env };
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  const file = path.join(dir, 'temporal.toml');
  fs.writeFileSync(file, '[profile.default]\n');
  return { ...Object.fromEntries(inherited), TEMPORAL_CONFIG_FILE: file, ...services.env };
}
