/** The Temporal side: `import { GranaryPlugin } from 'granary/worker'`. */
export { GranaryPlugin, workflowsPath, type GranaryPluginOptions } from './plugin.js';
export { runWorker, type WorkerProcessOptions } from './process.js';
