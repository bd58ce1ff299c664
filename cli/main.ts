import { Command } from 'commander';
import { packageVersion } from '../registry/package-version.js';
import { runWorker } from '../worker/process.js';
import { addApply } from './apply.js';
import { addBackfill } from './backfill.js';
import { addCompile } from './compile.js';
import { styled } from './colors.js';
import type { ClientFlags } from './connect.js';
import { count } from './count.js';
import { addDelete } from './delete.js';
import { addDev } from './dev.js';
import { addDescribe } from './describe.js';
import { addDoctor } from './doctor.js';
import { addFeast } from './feast.js';
import { report, wantsJson } from './failure.js';
import { addFeatures } from './features.js';
import { addGet } from './get.js';
import { groupCommands, summaryOf } from './groups.js';
import { addHistory } from './history.js';
import { addInit } from './init.js';
import { endOnInterrupt } from './interrupt.js';
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
import { addRun } from './run.js';
import { addRuns } from './runs.js';
import { addSchedule } from './schedule.js';
import { addSearch } from './search.js';
import { addServe } from './serve.js';
import { addStatus } from './status.js';
import { addTag } from './tag.js';
import { addTest } from './test.js';
import { addTrainingSet } from './training-set.js';
import { addVerify } from './verify.js';
import { addVersion } from './version.js';
import { addVersions } from './versions.js';
import { useDevServers } from './use-dev-servers.js';

interface WorkerFlags extends ClientFlags {
  readonly workflowBundle?: string;
  readonly heartbeatTimeout?: string;
  readonly heartbeatInterval?: string;
  readonly slots?: number;
  readonly memory?: number;
  readonly threads?: number;
  readonly rowsPerShard?: number;
  readonly rowsPerGroup?: number;
  readonly json?: true;
  readonly metrics?: string;
}

/** The whole command; parsed by {@link main}. */
export const program: Command = new Command('granary')
  .description('Durable feature-store pipelines on Temporal.')
  .version(packageVersion, '-V, --version', "prints this package's version")
  .helpOption('-h, --help', 'shows what a command does, with examples')
  .addHelpText(
    'after',
    '\nExamples:\n  granary apply granary.ts\n  granary run user_features_daily --follow\n  granary runs show last\n\nEvery command takes --help, most take --env and --json. Exit status: 0 done, 1 failed, 2 wrong usage or input, 3 a server cannot be reached, 130 interrupted.',
  )
  // Errors are told in one place, as people or programs want them: failure.ts.
  // After a command's name options are the command's: training-set head --version v_x.
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({
    outputError: () => undefined,
    writeErr: (text) => void (wantsJson(process.argv) || process.stderr.write(text)),
  })
  .configureHelp({
    styleTitle: (text) => styled('bold', text),
    subcommandDescription: summaryOf,
  })
  .hook('preAction', (_, command) => endOnInterrupt(command.name()));

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
  .option('--json', 'one JSON line on stdout once it polls')
  .option('--metrics <host:port>', 'where Prometheus finds /metrics (default: nowhere)')
  .addHelpText('after', '\nExample:\n  granary worker --project examples/flights/granary.ts --env dev')
  .action(async (flags: WorkerFlags) => {
    const { slots, memory, threads, rowsPerShard, rowsPerGroup } = flags;
    await runWorker({
      project: await loadProject(flags.project),
      ...(flags.env === undefined ? {} : { environment: flags.env }),
      ...(flags.taskQueue === undefined ? {} : { taskQueue: flags.taskQueue }),
      ...(flags.workflowBundle === undefined ? {} : { workflowBundle: flags.workflowBundle }),
      ...(flags.metrics === undefined ? {} : { metrics: flags.metrics }),
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
        if (flags.json)
          process.stdout.write(
            `${JSON.stringify({ event: 'ready', version: packageVersion, taskQueue, namespace, address })}\n`,
          );
        else
          process.stderr.write(
            `granary worker: polls ${taskQueue} in namespace ${namespace} at ${address}\n`,
          );
      },
    });
  });

addApply(program);
addSchedule(program);
addPlan(program);
addStatus(program);
addCompile(program);
addProvider(program);
addBackfill(program);
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
addDoctor(program);
addInit(program);
addDev(program);
addTest(program);
addRun(program);
addRuns(program);
addVersion(program);
useDevServers(program);

groupCommands(program);

/** Runs the command that the process was started with. */
export async function main(): Promise<void> {
  // A reader that has seen enough (`granary list | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  try {
    await program.parseAsync();
  } catch (error) {
    // Temporal's runtime may hold the process although nothing is left to do.
    process.exit(report(error, program, process.argv.slice(2)));
  }
}
