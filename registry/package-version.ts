import { createRequire } from 'node:module';
import { hostname } from 'node:os';

/** This package's version, such as `0.1.0`. By the package's own name: this file lies at other depths in `lib/`. */
export const { version: packageVersion } = createRequire(import.meta.url)('granary/package.json') as {
  readonly version: string;
};

/** What workers of this process call themselves in Temporal: `granary/0.1.0 1234@host`. */
export const workerIdentity = `granary/${packageVersion} ${process.pid}@${hostname()}`;

/** The version in a worker's identity; undefined: a worker with a name of its own, or of before. */
export const versionOfWorker = (identity: string): string | undefined =>
  /^granary\/(\S+) /.exec(identity)?.[1];
