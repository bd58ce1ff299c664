import { Option, type Command } from 'commander';
import { DEFAULT_PORT } from '../server/options.js';
import { runDev, type DevOptions } from './dev/run-dev.js';
import { withProject } from './options.js';
import { portNumber } from './port-number.js';

export function addDev(program: Command): void {
  withProject(program.command('dev'))
    .description(
      'Runs everything on this machine until Ctrl-C: Temporal, Postgres, Redis, a worker that takes up each change of the project, and the feature server. Definitions are applied at the start and after each change.',
    )
    .addOption(
      new Option('--port <n>', 'where the feature server listens; another where it is taken')
        .argParser(portNumber)
        .default(DEFAULT_PORT),
    )
    .option('--programs <folder>', 'keeps downloaded programs; several projects may share it', '.granary/bin')
    .addHelpText(
      'after',
      '\nServers of your own are used instead where TEMPORAL_ADDRESS, DATABASE_URL or REDIS_URL is set. Data stays in .granary/dev.\n\nExample:\n  granary dev',
    )
    .action((flags: DevOptions) => runDev(flags));
}
