import fs from 'node:fs';
import path from 'node:path';

/**
 * The environment of a program that is to use these services. Where a server is our own, what the user's shell or
 * configuration files say of another one (Temporal: namespace, API key, certificates; AWS: profile, session token,
 * endpoints) would only lead astray.
 * @param {import('./index.mjs').Services} services
 * @param {string} dir a folder for empty configuration files
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentFor(services, dir) {
  const { temporal, s3 } = services.handles;
  const isAstray = (/** @type {string} */ name) =>
    (temporal && name.startsWith('TEMPORAL_')) || (s3 && name.startsWith('AWS_'));
  const inherited = Object.entries(process.env).filter(([name]) => !isAstray(name));
  const empty = (/** @type {string} */ name, text = '') => {
    const file = path.join(dir, name);
    fs.writeFileSync(file, text);
    return file;
  };
  return {
    ...Object.fromEntries(inherited),
    ...(temporal && { TEMPORAL_CONFIG_FILE: empty('temporal.toml', '[profile.default]\n') }),
    ...(s3 && {
      GRANARY_CACHE_FOLDER: path.join(dir, 'cache'),
      AWS_CONFIG_FILE: empty('aws-config'),
      AWS_SHARED_CREDENTIALS_FILE: empty('aws-credentials'),
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', // the lock file's version runs, whatever comes after it
    }),
    ...services.env,
  };
}
