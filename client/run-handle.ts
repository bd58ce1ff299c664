import type { Registry } from '../registry/registry.js';
import type { RunResult } from '../workflows/index.js';
import type { RunHandle } from './handles.js';
import { loadsOf } from './loads.js';
import type { Started, Workflows } from './workflows.js';

/** What a started run can be asked. */
export const runHandle = (
  registry: Registry,
  workflows: Workflows,
  started: Started<RunResult>,
): RunHandle => ({
  ...started,
  steps: async () => {
    // The first run of all may not have begun yet.
    await registry.migrate();
    return (await registry.history.detail(started.runId))?.steps ?? [];
  },
  loads: () => loadsOf(workflows, started),
});
