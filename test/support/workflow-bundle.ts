import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { workflowsPath } from '../../worker/index.js';

const folder = join(import.meta.dirname, '../../.granary');
const file = join(folder, `workflows-${process.pid}.js`);
const quiet = (): void => undefined;

/** What decides on colours: commands under test decide as for everybody. */
const COLORS = ['CI', 'FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS', 'TEAMCITY_VERSION'];

/** Bundles the workflows once for all test files and the workers that they start; vitest calls it before the first. */
export async function setup(): Promise<void> {
  for (const name of COLORS) delete process.env[name];
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  await mkdir(folder, { recursive: true });
  await writeFile(file, code);
  process.env['GRANARY_TEST_BUNDLE'] = file;
}

export const teardown = (): Promise<void> => rm(file, { force: true });
