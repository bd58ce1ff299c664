// The real servers that the demo, the tests and the benches run against, without Docker: see index.d.mts.
export { environmentFor } from './environment.mjs';
export { serviceHandle } from './handle.mjs';
export { withLock } from './lock.mjs';
export { isAlive, ownIdentity } from './processes.mjs';
export { startServices } from './start.mjs';
export { purgeServices, serviceStatus, stopServices } from './stop.mjs';
