import { Command } from 'commander';
import { GranaryError } from '../definitions/errors.js';
import { runWorker } from '../worker/process.js';
import { addApply } from './apply.js';
import { addCompile } from './compile.js';
import type { ClientFlags } from './connect.js';
import { count } from './count.js';
import { addDelete } from './delete.js';
import { addDescribe } from './describe.js';
import { addFeast } from './feast.js';
import { addFeatures } from './features.js';
import { addGet } from './get.js';
import { addHistory } from './history.js';
import { addLineage } from './lineage.js';
import { addList } from './list.js';
import { loadProject } from './load-project.js';
import { addMaterialize } from './materialize.js';
import { addModel } from './model.js';
import { withProject } from './options.js';
import { addPlan } from './plan.js';
import { addPreview } from './preview.js';
import { addPromote } from './promote.js';
import { addProvider } from './provider.js';
import { addRollback } from './rollback.js';
import { addSchedule } from './schedule.js';
import { addSearch } from './search.js';
import { addServe } from './serve.js';
import { addStatus } from './status.js';
import { addTag } from './tag.js';
import { addTrainingSet } from './training-set.js';
import { addVerify } from './verify.js';
import { addVersions } from './versions.js';

interface WorkerFlags extends ClientFlags {
  readonly workflowBundle?: string;
  readonly heartbeatTimeout?: string;
  readonly heartbeatInterval?: string;
  readonly slots?: number;
  readonly memory?: number;
  readonly threads?: number;
  readonly rowsPerShard?: number;
  readonly rowsPerGroup?: number;
}

const program = new Command('granary')
  .description('Durable feature-store pipelines on Temporal.')
  .showHelpAfterError();

withProject(program.command('worker'))
  .description(
    'Runs a worker until SIGINT or SIGTERM. Temporal is found by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_* or temporal.toml.',
  )
  .option('--task-queue <name>', 'the task queue (default: granary-<project>-<environment>)')
  .option('--slots <n>', 'heavy steps at a time (default: 2)', count)
  .option('--memory <MiB>', 'memory of all heavy steps together (default: half of the machine)', count)
  .option('--threads <n>', 'threads of one engine (default: all cores)', count)
  .option('--rows-per-shard <n>', 'entities a shard of an online load (default: 500000)', count)
  .option('--rows-per-group <n>', 'entities between two checkpoints of a load (default: 20000)', count)
  .option(
    '--workflow-bundle <file>',
    'workflows that were bundled beforehand (default: bundled at each start)',
  )
  .option('--heartbeat-timeout <time>', 'silence after which others take over (default: 30s)')
  .option('--heartbeat-interval <time>', 'how often checkpoints reach Temporal at most (default: 5s)')
  .addHelpText('after', '\nExample:\n  granary worker --project examples/flights/granary.ts --env dev')
  .action(async (flags: WorkerFlags) => {
    const { slots, memory, threads, rowsPerShard, rowsPerGroup } = flags;
    await runWorker({
      project: await loadProject(flags.project),
      ...(flags.env === undefined ? {} : { environment: flags.env }),
      ...(flags.taskQueue === undefined ? {} : { taskQueue: flags.taskQueue }),
      ...(flags.workflowBundle === undefined ? {} : { workflowBundle: flags.workflowBundle }),
      ...(flags.heartbeatTimeout === undefined ? {} : { heartbeatTimeout: flags.heartbeatTimeout }),
      ...(flags.heartbeatInterval === undefined ? {} : { heartbeatInterval: flags.heartbeatInterval }),
      budget: {
        ...(slots === undefined ? {} : { heavySlots: slots }),
        ...(memory === undefined ? {} : { memoryMiB: memory }),
        ...(threads === undefined ? {} : { threads }),
      },
      load: {
        ...(rowsPerShard === undefined ? {} : { rowsPerShard }),
        ...(rowsPerGroup === undefined ? {} : { rowsPerGroup }),
      },
      onReady: ({ taskQueue, address, namespace }) => {
        process.stderr.write(`granary worker: polls ${taskQueue} in namespace ${namespace} at ${address}\n`);
      },
    });
  });

addApply(program);
addSchedule(program);
addPlan(program);
addStatus(program);
addCompile(program);
addProvider(program);
addMaterialize(program);
addVerify(program);
addPromote(program);
addRollback(program);
addList(program);
addGet(program);
addDescribe(program);
addSearch(program);
addLineage(program);
addHistory(program);
addVersions(program);
addPreview(program);
addTag(program);
addTrainingSet(program);
addModel(program);
addDelete(program);
addServe(program);
addFeatures(program);
addFeast(program);

// A reader that has seen enough (`granary list | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof GranaryError)) throw error;
  process.stderr.write(`granary: ${error.message} [${error.code}]\n`);
  // Temporal's runtime may hold the process although nothing is left to do.
  process.exit(1);
}
