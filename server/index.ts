/** A feature server with Feast's HTTP API: `import { listen } from 'granary/server'`. */
export { listen, type FeatureServer, type ListenOptions } from './server.js';
export type { ServerOptions } from './options.js';
export type { StatusRule } from './answer.js';
export type { Role, Token } from './tokens.js';
export type { Materializer, StartedRun } from './materialize.js';
